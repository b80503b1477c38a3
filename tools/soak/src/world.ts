import { createHash, type Hash } from 'node:crypto'
import { recording, sequence, type HistoryEvent } from '@sessiontree/contract/history'
import { SessionError, sleep, type StorageAdapter } from '@sessiontree/core'
import type { Profile } from './profiles.ts'
import { SeededRandom } from './seeded-random.ts'
import { TARGETS, type Handle, type Target, type TargetName } from './targets.ts'
import { VirtualTime } from './virtual-time.ts'

/** What one run is made of. */
export interface WorldOptions {
  readonly seed: number
  readonly target: TargetName
  readonly profile: Profile
  /** Breaks every handle, to see whether that is found. */
  readonly sabotage?: ((adapter: StorageAdapter, random: SeededRandom) => StorageAdapter) | undefined
  /** Told every event, for whoever looks into a failure. */
  readonly onEvent?: ((line: string) => void) | undefined
}

/** What became of a write, as far as its caller knows. */
export type Fate = 'acknowledged' | 'failed' | 'unknown'

/** What can be seen of one call: what it resolved or rejected with, or that its process died. */
export type Outcome<Result> = { readonly result: Result } | { readonly error: unknown } | { readonly died: true }

const LONGEST_PAUSE = 20

/** The store, the processes and the time of one run, and what happened in it. */
export class World {
  readonly random: SeededRandom
  readonly time = new VirtualTime()
  readonly profile: Profile
  readonly target: Target
  readonly violations: string[] = []
  readonly faults: Map<string, number> = new Map()
  readonly history: HistoryEvent[] = []
  /** What is acknowledged, lost and killed, for the summary. */
  readonly counts = { acknowledged: 0, lost: 0, crashes: 0, powerLosses: 0, calls: 0 }
  /** Every loss of power begins a new age: what was not flushed before it may be gone. */
  age = 0
  readonly #hash: Hash = createHash('sha256')
  readonly #onEvent: ((line: string) => void) | undefined
  readonly #sequence = sequence()
  readonly #processes: Set<Process> = new Set()
  #started = 0

  readonly #sabotage: (adapter: StorageAdapter) => StorageAdapter

  constructor({ seed, target, profile, onEvent, sabotage }: WorldOptions) {
    this.#sabotage = (adapter) => sabotage?.(adapter, this.random.fork()) ?? adapter
    this.random = new SeededRandom(seed)
    this.profile = profile
    this.#onEvent = onEvent
    // What survives only the process must not be asked to survive the machine.
    const durability = profile.powerLosses > 0 || this.random.chance(0.5) ? 'disk' : 'process'
    const random = this.random.fork()
    const onFault = (kind: string, where: string) => {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
      this.log(`fault: ${kind} ${where.replace(/.*\/sessiontree-soak-\w+/, '')}`)
    }
    this.target = TARGETS[target]({ time: this.time, random, profile, durability, onFault })
    this.log(`durability ${durability}`)
  }

  /** A digest of everything that happened: equal for equal runs. */
  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  log(line: string): void {
    const event = `${this.time.now().toFixed(3)} ${line}`
    this.#hash.update(`${event}\n`)
    this.#onEvent?.(event)
  }

  violate(problem: string): void {
    this.log(`VIOLATION ${problem}`)
    this.violations.push(problem)
  }

  /** Makes the store in peace; else the first processes make it, and what goes wrong goes wrong there too. */
  async prepare(): Promise<void> {
    const adapter = this.target.openSound()
    await adapter.get('prepared')
    await adapter.close()
    this.log('the store is there')
  }

  start(): Process {
    const process = new Process(`p${this.#started++}`, this.target.open(), (adapter, actor) =>
      this.#recorded(this.#sabotage(adapter), actor),
    )
    this.#processes.add(process)
    this.log(`${process.name} starts`)
    return process
  }

  /** A handle without faults on what is there now. */
  async inspect(): Promise<StorageAdapter> {
    await this.target.settle()
    return this.#recorded(this.target.openSound(), `inspector${this.#started++}`)
  }

  /** Ends a process in an orderly way, as far as it lets itself be ended. */
  async stop(process: Process): Promise<void> {
    this.#processes.delete(process)
    const outcome = await this.call(process, `${process.name} closes`, () => process.adapter.close())
    if ('error' in outcome) this.violate(`close of ${process.name} rejects: ${String(outcome.error)}`)
    process.kill()
  }

  /** Calls something on a process and tells what came of it; a process that dies meanwhile says nothing. */
  async call<Result>(process: Process, what: string, act: () => Promise<Result>): Promise<Outcome<Result>> {
    this.counts.calls++
    this.log(`${what} …`)
    const settled = act().then(
      (result): Outcome<Result> => ({ result }),
      (error: unknown): Outcome<Result> => ({ error }),
    )
    const outcome = await Promise.race([settled, process.died.then((): Outcome<Result> => ({ died: true }))])
    const said = 'error' in outcome ? nameOf(outcome.error) : 'died' in outcome ? 'died' : 'resolved'
    this.log(`${what}: ${said}`)
    return outcome
  }

  /** Waits as a client waits between two calls; meanwhile processes may die, and the power may fail. */
  async pause(): Promise<void> {
    await sleep(this.time, this.random.fraction() * LONGEST_PAUSE)
    const process = this.random.pick([...this.#processes])
    if (this.random.chance(this.profile.kills) && process) {
      this.counts.crashes++
      if (this.random.chance(0.5)) process.killSoon()
      else process.kill()
      this.log(`${process.name} is killed`)
    }
    if (this.random.chance(this.profile.powerLosses) && this.target.losePower) {
      this.counts.powerLosses++
      this.age++
      this.log('the power fails')
      for (const each of this.#processes) each.kill()
      this.target.losePower()
    }
    for (const each of this.#processes) if (!each.isAlive) this.#processes.delete(each)
  }

  #recorded(adapter: StorageAdapter, actor: string): StorageAdapter {
    return recording(adapter, { actor, time: this.#sequence, write: (event) => this.history.push(event) })
  }
}

/** A process with one handle on the store. */
export class Process {
  readonly name: string
  readonly adapter: StorageAdapter
  /** Resolves when somebody notices that it is dead. */
  readonly died: Promise<void>
  readonly #handle: Handle
  #end: () => void = () => {}

  constructor(name: string, handle: Handle, record: (adapter: StorageAdapter, actor: string) => StorageAdapter) {
    this.name = name
    this.#handle = handle
    this.adapter = record(handle.adapter, name)
    this.died = new Promise((resolve) => (this.#end = resolve))
    handle.onDeath(() => this.#end())
  }

  get isAlive(): boolean {
    return this.#handle.isAlive()
  }

  kill(): void {
    this.#handle.kill()
  }

  killSoon(): void {
    this.#handle.killSoon()
  }
}

/** What is known of a write from how its call ended. */
export function fateOf(outcome: Outcome<unknown>): Fate {
  if ('died' in outcome) return 'unknown'
  if (!('error' in outcome)) return 'acknowledged'
  return SessionError.is(outcome.error) && outcome.error.written === 'no' ? 'failed' : 'unknown'
}

/** A short name of an error, the same in every run. */
export function nameOf(error: unknown): string {
  if (SessionError.is(error)) return error.code
  return error instanceof Error ? error.name : String(error)
}
