import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly errors: string
}

/** The command line that runs a file with a plan. */
export function commandFor(file: URL, plan: object): readonly [command: string, ...args: string[]] {
  return [process.execPath, '--conditions=@sessiontree/source', fileURLToPath(file), JSON.stringify(plan)]
}

/** A process that runs a file. It ends with its test at the latest. */
export class Child {
  readonly #process: ChildProcess
  readonly #ended: Promise<Ending>
  readonly #up: Promise<unknown>

  constructor(file: URL, plan: object) {
    const [command, ...args] = commandFor(file, plan)
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (text) => (errors += String(text)))
    // It may be gone when it is released.
    child.stdin.on('error', () => {})
    this.#process = child
    this.#up = Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal, errors }))
    onTestFinished(() => void child.kill('SIGKILL'))
  }

  /** Resolves when it has begun, or has ended before that. */
  async up(): Promise<void> {
    await this.#up
  }

  /** Tells it to finish as soon as it has done what it must. */
  release(): void {
    this.#process.stdin?.end()
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Stops it where it stands, and lets it go on later. */
  async stopFor(milliseconds: number): Promise<void> {
    this.#process.kill('SIGSTOP')
    await pause(milliseconds)
    this.#process.kill('SIGCONT')
  }

  ended(): Promise<Ending> {
    return this.#ended
  }

  /** Resolves if it ended well, and rejects with what it said if not. */
  async done(): Promise<void> {
    const { code, signal, errors } = await this.#ended
    if (code !== 0) throw new Error(`a process ended with ${code ?? signal}: ${errors}`)
  }
}
