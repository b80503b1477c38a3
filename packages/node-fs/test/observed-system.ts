import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, StorageAdapter } from '@sessiontree/core'
import { afterEach } from 'vitest'
import { localFileSystem, type FileSystem } from '../src/file-system.ts'

type Call = keyof FileSystem

/** A file system that counts its calls, and that a test can stop, replace or fail at any of them. */
export class ObservedSystem {
  openFiles = 0
  readonly counts: Partial<Record<Call, number>> = {}
  readonly #before: Map<Call, ((...args: never[]) => unknown)[]> = new Map()
  readonly system: FileSystem

  constructor() {
    const observed = Object.entries(localFileSystem).map(([name, call]: [string, (...args: never[]) => unknown]) => [
      name,
      (...args: never[]) => {
        const key = name as Call
        this.counts[key] = (this.counts[key] ?? 0) + 1
        const intervene = this.#before.get(key)?.shift()
        const answer = intervene?.(...args)
        if (answer instanceof Promise) return answer.then(() => call(...args))
        const result = answer ?? call(...args)
        if (key === 'open') this.openFiles++
        if (key === 'close') this.openFiles--
        return result
      },
    ])
    this.system = Object.fromEntries(observed) as FileSystem
  }

  /** Does this before the next call of this name; what it returns is the answer, a promise only delays it. */
  before<Name extends Call>(name: Name, intervene: (...args: Parameters<Required<FileSystem>[Name]>) => unknown): void {
    const waiting = this.#before.get(name) ?? []
    waiting.push(intervene)
    this.#before.set(name, waiting)
  }

  /** Fails the next call of this name. */
  fail(name: Call, code: string): void {
    this.before(name, () => {
      throw systemError(code, name)
    })
  }

  reset(): void {
    for (const name of Object.keys(this.counts)) delete this.counts[name as Call]
  }
}

export function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: made up, ${syscall}`), { code, syscall })
}

const folders: string[] = []

/** A path for a store of its own; it is removed after the test. */
export function freshRoot(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sessiontree-'))
  folders.push(folder)
  return join(folder, 'store')
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A clock that never waits and notes for how long it was asked to. */
export function impatientClock(): { clock: Clock; pauses: number[] } {
  const pauses: number[] = []
  const timer = (milliseconds: number, wake: () => void) => {
    pauses.push(milliseconds)
    queueMicrotask(wake)
    return () => {}
  }
  return { clock: { now: () => 0, elapsed: () => 0, timer }, pauses }
}

/** Everything that a log holds. */
export async function readAll(adapter: StorageAdapter, log: string): Promise<string[]> {
  const records: string[] = []
  for await (const batch of adapter.read(log)) records.push(...batch.records)
  return records
}
