import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Settings } from './settings.ts'

/** What the process of a step is started with. */
export interface StepProcessOptions {
  readonly settings: Settings
  readonly env: NodeJS.ProcessEnv
  /** Passed on as SIGINT. */
  readonly signal: AbortSignal
  /** What becomes of what it prints. Default: it is printed. */
  readonly output?: 'inherit' | 'ignore'
}

/** How a process ended; `code` is the one that a shell would report. */
export interface Exit {
  readonly code: number
  readonly killedBy: NodeJS.Signals | null
}

const SCRIPT = fileURLToPath(new URL('step.ts', import.meta.url))

/** Starts a step in a process of its own, with this process's Node and flags. */
export function startStep(
  [step, ...files]: readonly [step: string, ...files: string[]],
  { settings, env, signal, output = 'inherit' }: StepProcessOptions,
  pipes: { readonly stdin: 'pipe' | 'inherit'; readonly more?: readonly 'pipe'[] } = { stdin: 'inherit' },
): { readonly child: ChildProcess; readonly exited: Promise<Exit> } {
  const args = [...process.execArgv, SCRIPT, step, JSON.stringify(settings), ...files]
  const child = spawn(process.execPath, args, { env, stdio: [pipes.stdin, output, 'inherit', ...(pipes.more ?? [])] })
  const exited = new Promise<Exit>((resolve, reject) => {
    // It stops by itself between two entries; a terminal has told it already, a `kill` of this process has not.
    const stop = () => void child.kill('SIGINT')
    signal.addEventListener('abort', stop, { once: true })
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop)
      resolve({ code: code ?? (killedBy ? 128 + constants.signals[killedBy] : 1), killedBy })
    })
  })
  return { child, exited }
}
