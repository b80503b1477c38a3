import type { ListOptions, ReadRange, StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { collect, joinAscending, joinDescending } from '../reading.ts'
import { assertCode, assertConflict } from '../rejection.ts'
import {
  NAMES,
  PREFIXES,
  textOf,
  type ListStep,
  type PutStep,
  type ReadStep,
  type RemoveStep,
  type Step,
} from './step.ts'

/** A log as the contract describes it. */
interface ModelLog {
  records: string[]
  /** Its length when it was dropped. */
  droppedAt: number | undefined
  /** The trace of its drop is gone: what the name does now is not said. */
  forgotten: boolean
}

interface ModelDocument {
  current: { readonly value: string; readonly version: string } | undefined
  /** Every version that it ever had. */
  readonly versions: string[]
  /** There was a document, and a listing may still name it. */
  trace: boolean
}

/** The adapter contract, as plain maps: takes each step on an adapter, too, and asserts that both agree. */
export class Model {
  readonly #logs = new Map<string, ModelLog>()
  readonly #documents = new Map<string, ModelDocument>()
  #serial = 0

  /** Takes one step on an adapter. Rejects with an `AssertionError` if it does not do what the model says. */
  async take(step: Exclude<Step, { do: 'reopen' }>, adapter: StorageAdapter): Promise<void> {
    switch (step.do) {
      case 'append':
        return this.#append(adapter, nameOf(step.log), step.records)
      case 'append wrongly':
        return this.#appendWrongly(adapter, nameOf(step.log), step.by)
      case 'read':
        return this.#read(adapter, nameOf(step.log), step)
      case 'drop':
        return this.#drop(adapter, nameOf(step.log), step.forget)
      case 'get':
        return this.#get(adapter, nameOf(step.key))
      case 'put':
        return this.#put(adapter, nameOf(step.key), step)
      case 'remove':
        return this.#remove(adapter, nameOf(step.key), step)
      case 'list':
        return this.#list(adapter, step)
    }
  }

  /** Compares everything that there is. */
  async compare(adapter: StorageAdapter): Promise<void> {
    for (const name of NAMES) {
      await this.#read(adapter, name, {})
      await this.#get(adapter, name)
    }
    await this.#list(adapter, { what: 'logs', prefix: 0, after: undefined, limit: undefined })
    await this.#list(adapter, { what: 'keys', prefix: 0, after: undefined, limit: undefined })
  }

  #log(name: string): ModelLog {
    const log = this.#logs.get(name) ?? { records: [], droppedAt: undefined, forgotten: false }
    this.#logs.set(name, log)
    return log
  }

  #document(key: string): ModelDocument {
    const document = this.#documents.get(key) ?? { current: undefined, versions: [], trace: false }
    this.#documents.set(key, document)
    return document
  }

  async #append(adapter: StorageAdapter, name: string, kinds: readonly number[]): Promise<void> {
    const log = this.#log(name)
    if (log.forgotten) return
    const records = kinds.map((kind) => textOf(kind, ++this.#serial))
    if (log.droppedAt !== undefined) {
      const append = adapter.append(name, log.droppedAt, records)
      return assertConflict(
        append,
        log.droppedAt,
        `an append at the length ${log.droppedAt} of the dropped log ${name}`,
      )
    }
    await adapter.append(name, log.records.length, records)
    log.records.push(...records)
  }

  async #appendWrongly(adapter: StorageAdapter, name: string, by: number): Promise<void> {
    const log = this.#log(name)
    // At another index than its length the contract leaves a dropped log free.
    if (log.droppedAt !== undefined || log.forgotten) return
    const { length } = log.records
    const at = Math.max(0, length + by)
    if (at === length) return
    const append = adapter.append(name, at, [textOf(0, ++this.#serial)])
    await assertConflict(append, length, `an append at ${at} to the log ${name} of length ${length}`)
  }

  async #read(adapter: StorageAdapter, name: string, range: Partial<ReadStep>): Promise<void> {
    const { records } = this.#log(name)
    const { from = 0, to = Infinity, limit = Infinity, reverse = false, readAhead } = range
    const asked: ReadRange = { from, to, limit, reverse, readAhead }
    const batches = await collect(adapter.read(name, asked))
    const what = `read of ${name} from ${from} to ${to}, at most ${limit}${reverse ? ', in reverse' : ''}`
    const end = Math.max(from, Math.min(to, records.length))
    const low = reverse ? Math.max(from, end - limit) : from
    const high = reverse ? end : Math.min(end, from + limit)
    assertEqual((reverse ? joinDescending : joinAscending)(batches, what), records.slice(low, high), what)
    const lowest = reverse ? batches.at(-1) : batches[0]
    if (lowest) assertEqual(lowest.at, low, `${what}: its lowest index`)
  }

  async #drop(adapter: StorageAdapter, name: string, forget: boolean): Promise<void> {
    const log = this.#log(name)
    await adapter.drop(name, { forget })
    if (log.records.length > 0) log.droppedAt = log.records.length
    // A name that never held a record is not spent, and has no trace to forget.
    if (forget && log.droppedAt !== undefined) log.forgotten = true
    log.records = []
  }

  async #get(adapter: StorageAdapter, key: string): Promise<void> {
    const { current } = this.#document(key)
    const document = await adapter.get(key)
    const shown = document && { value: document.value, version: document.version }
    assertEqual(shown, current, `the document ${key}`)
  }

  async #put(adapter: StorageAdapter, key: string, { value: kind, expect: which }: PutStep): Promise<void> {
    const document = this.#document(key)
    const current = document.current?.version ?? 'absent'
    const expect = which === 'current' ? current : which === 'old' ? oldVersion(document) : 'absent'
    if (expect === undefined) return
    const value = textOf(kind, ++this.#serial)
    const putting = adapter.put(key, value, { expect })
    const what = `a put of ${key} that expects ${expect}, at ${current}`
    if (expect !== current) {
      await assertCode(putting, 'CONFLICT', what)
      return
    }
    const version = await putting
    assert(version !== 'absent' && version !== '', `${what}: a version is not "${version}"`)
    assert(!document.versions.includes(version), `${what}: version ${version} was there before`)
    document.versions.push(version)
    document.current = { value, version }
    document.trace = true
  }

  async #remove(adapter: StorageAdapter, key: string, { expect: which, forget }: RemoveStep): Promise<void> {
    const document = this.#document(key)
    const current = document.current?.version
    const expect = which === 'any' ? undefined : which === 'current' ? current : oldVersion(document)
    // Without a version to expect there is only the removal of whatever is there.
    if (which !== 'any' && expect === undefined) return
    const removing = adapter.remove(key, { expect, forget })
    if (expect !== undefined && expect !== current) {
      await assertCode(removing, 'CONFLICT', `a removal of ${key} that expects ${expect}, at ${current ?? 'absent'}`)
      return
    }
    await removing
    document.current = undefined
    if (forget) document.trace = false
  }

  async #list(adapter: StorageAdapter, step: Omit<ListStep, 'do' | 'handle'>): Promise<void> {
    const prefix = PREFIXES[step.prefix] ?? ''
    const after = step.after === undefined ? undefined : nameOf(step.after)
    const options: ListOptions = { after, limit: step.limit }
    const pages = await collect(step.what === 'logs' ? adapter.logs(prefix, options) : adapter.keys(prefix, options))
    const names = pages.flat()
    const what = `${step.what} below "${prefix}" after "${after ?? ''}", at most ${step.limit ?? 'all'}`
    const [must, may] = step.what === 'logs' ? this.#listedLogs() : this.#listedKeys()
    const belongs = (name: string) => (prefix === '' || name.startsWith(`${prefix}/`)) && name > (after ?? '')
    assertEqual(names, [...new Set(names)].toSorted(byCodeUnit), `${what}: ascending, each once`)
    assertEqual(
      names.filter((name) => !belongs(name) || !may.has(name)),
      [],
      `${what}: what should not be there`,
    )
    assert(names.length <= (step.limit ?? Infinity), `${what}: ${names.length} names`)
    // What may be listed takes the place of what must be, up to the last one listed.
    const last = names.length === step.limit ? names.at(-1) : undefined
    const missing = [...must].filter((name) => belongs(name) && (last === undefined || name <= last))
    assertEqual(
      missing.filter((name) => !names.includes(name)),
      [],
      `${what}: what is missing`,
    )
  }

  #listedLogs(): readonly [must: ReadonlySet<string>, may: ReadonlySet<string>] {
    const logs = [...this.#logs].filter(
      ([, log]) => log.records.length > 0 || (log.droppedAt !== undefined && !log.forgotten),
    )
    const must = logs.filter(([, log]) => log.records.length > 0)
    return [new Set(must.map(([name]) => name)), new Set(logs.map(([name]) => name))]
  }

  #listedKeys(): readonly [must: ReadonlySet<string>, may: ReadonlySet<string>] {
    const documents = [...this.#documents].filter(([, document]) => document.trace)
    const must = documents.filter(([, document]) => document.current !== undefined)
    return [new Set(must.map(([name]) => name)), new Set(documents.map(([name]) => name))]
  }
}

const nameOf = (index: number) => NAMES[index] ?? 'a'

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : 1)

function oldVersion({ versions, current }: ModelDocument): string | undefined {
  return versions.findLast((version) => version !== current?.version)
}
