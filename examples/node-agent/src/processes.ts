import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Settings } from './settings.ts'

/**
 * Records in one process, then shows in another; both have this process's Node, flags and output. Resolves with the exit code of the first
 * that fails, else 0.
 */
export async function runInProcesses(options: {
  readonly settings: Settings
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}): Promise<number> {
  const { settings, env, signal } = options
  const folder = await mkdtemp(join(tmpdir(), 'sessiontree-demo-recorded-'))
  try {
    const recordedFile = join(folder, 'recorded.json')
    for (const step of ['record', 'show']) {
      signal.throwIfAborted()
      const code = await runProcess([step, JSON.stringify(settings), recordedFile], env, signal)
      if (code !== 0) return code
    }
    return 0
  } finally {
    await rm(folder, { recursive: true })
  }
}

const SCRIPT = fileURLToPath(new URL('step.ts', import.meta.url))

function runProcess(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, SCRIPT, ...args], { env, stdio: 'inherit' })
    // It stops by itself between two entries; a terminal has told it already, a `kill` of this process has not.
    const stop = () => void child.kill('SIGINT')
    signal.addEventListener('abort', stop, { once: true })
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop)
      resolve(code ?? (killedBy ? 128 + constants.signals[killedBy] : 1))
    })
  })
}
