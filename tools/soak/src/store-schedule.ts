import { SessionError, type StorageAdapter } from '@sessiontree/core'
import { fateOf, nameOf, type Fate, type Process, type World } from './world.ts'

interface Append {
  readonly log: string
  readonly at: number
  readonly records: readonly string[]
  fate: Fate
}

interface Put {
  readonly key: string
  /** How many puts took effect before it: its value says so. */
  readonly count: number
  readonly value: string
  fate: Fate
}

const PROCESSES = 3
const CLIENTS = 5
const CALLS = 25
const LOGS = ['session/a', 'session/b']
const KEYS = ['session/a', 'session/b']
/** Errors that a sound adapter has no reason for, whatever happens to it. */
const NEVER = new Set(['CORRUPT', 'FORMAT', 'DELETED', 'NOT_FOUND', 'UNSUPPORTED', 'DENIED', 'READ_ONLY'])

/** Clients of several processes append to logs and count in documents, straight on the adapter; then what is there is judged. */
export async function storeSchedule(world: World): Promise<void> {
  const schedule = new StoreSchedule(world)
  await schedule.run()
}

class StoreSchedule {
  readonly #world: World
  readonly #processes: Process[]
  readonly #appends: Append[] = []
  readonly #puts: Put[] = []
  /** The longest log that any reader was shown, and the highest count, in this age. */
  readonly #shown: Map<string, readonly string[]> = new Map()
  readonly #counted: Map<string, number> = new Map()
  #age = 0

  constructor(world: World) {
    this.#world = world
    this.#processes = Array.from({ length: PROCESSES }, () => world.start())
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => this.#client(client)))
    const adapter = await this.#world.inspect()
    for (const log of LOGS) await this.#judgeLog(adapter, log)
    for (const key of KEYS) await this.#judgeDocument(adapter, key)
    await adapter.close()
  }

  async #client(client: number): Promise<void> {
    const { random } = this.#world
    for (let call = 0; call < CALLS; call++) {
      await this.#world.pause()
      const process = this.#process(client)
      const name = `${process.name} c${client}`
      const act = random.pick(['append', 'append', 'append', 'put', 'put', 'read', 'get', 'restart'] as const)
      if (act === 'append') await this.#append(process, name, `${client}.${call}`)
      if (act === 'put') await this.#put(process, name, `${client}.${call}`)
      if (act === 'read') await this.#read(process, name, random.pick(LOGS))
      if (act === 'get') await this.#get(process, name, random.pick(KEYS))
      if (act === 'restart' && random.chance(0.3)) await this.#world.stop(process)
    }
  }

  #process(client: number): Process {
    const i = client % PROCESSES
    const known = this.#processes[i]
    if (known?.isAlive) return known
    const process = this.#world.start()
    this.#processes[i] = process
    return process
  }

  async #append(process: Process, name: string, id: string): Promise<void> {
    const { random } = this.#world
    const log = random.pick(LOGS)
    const at = await this.#length(process, name, log)
    if (at === undefined) return
    const large = random.chance(0.1) ? 'x'.repeat(random.between(500, 3000)) : ''
    const records = Array.from({ length: random.between(1, 3) }, (_, i) => JSON.stringify(`${id}.${i}${large}`))
    const append: Append = { log, at, records, fate: 'unknown' }
    this.#appends.push(append)
    // Uncertain: the same index with the same batch, until it is known who holds it, or the client has had enough.
    let uncertain = false
    for (let tries = 0; tries < 3; tries++) {
      const outcome = await this.#world.call(process, `${name} appends ${id} to ${log} at ${at}`, () =>
        process.adapter.append(log, at, records),
      )
      this.#expectKnown(outcome, `append of ${id}`)
      const fate = fateOf(outcome)
      if (fate === 'acknowledged') append.fate = fate
      if (fate === 'failed' && !uncertain) append.fate = fate
      if (fate !== 'unknown' || 'died' in outcome) break
      uncertain = true
      await this.#world.pause()
    }
    if (append.fate === 'acknowledged') this.#world.counts.acknowledged += records.length
  }

  async #length(process: Process, name: string, log: string): Promise<number | undefined> {
    const outcome = await this.#world.call(process, `${name} looks at ${log}`, async () => {
      for await (const { at, records } of process.adapter.read(log, { reverse: true, limit: 1 }))
        return at + records.length
      return 0
    })
    this.#expectKnown(outcome, `look at ${log}`)
    return 'result' in outcome ? outcome.result : undefined
  }

  async #read(process: Process, name: string, log: string): Promise<void> {
    const { age } = this.#world
    const before = this.#longest(log)
    const outcome = await this.#world.call(process, `${name} reads ${log}`, () => readAll(process.adapter, log))
    this.#expectKnown(outcome, `read of ${log}`)
    if (!('result' in outcome) || age !== this.#world.age) return
    const read = outcome.result
    const flipped = before.findIndex((record, at) => record !== read[at])
    if (flipped >= 0 && !this.#mayLose()) {
      this.#world.violate(
        `${log}[${flipped}] was ${label(before[flipped])}, a later read shows ${label(read[flipped])}`,
      )
    }
    if (read.length > this.#longest(log).length) this.#shown.set(log, read)
  }

  async #put(process: Process, name: string, id: string): Promise<void> {
    const key = this.#world.random.pick(KEYS)
    const found = await this.#get(process, name, key)
    if (found === 'unknown') return
    const count = found ? found.count + 1 : 0
    const value = JSON.stringify({ count, id, filler: 'x'.repeat(this.#world.random.between(0, 200)) })
    const put: Put = { key, count, value, fate: 'unknown' }
    this.#puts.push(put)
    const expect = found?.version ?? 'absent'
    const outcome = await this.#world.call(process, `${name} puts ${id} to ${key} as ${count}`, () =>
      process.adapter.put(key, value, { expect }),
    )
    this.#expectKnown(outcome, `put of ${id}`)
    put.fate = fateOf(outcome)
    if (put.fate !== 'acknowledged') return
    this.#world.counts.acknowledged++
    this.#sawCount(key, count)
  }

  async #get(
    process: Process,
    name: string,
    key: string,
  ): Promise<{ count: number; version: string } | undefined | 'unknown'> {
    const { age } = this.#world
    const before = this.#age === age ? (this.#counted.get(key) ?? -1) : -1
    const outcome = await this.#world.call(process, `${name} gets ${key}`, () => process.adapter.get(key))
    this.#expectKnown(outcome, `get of ${key}`)
    if (!('result' in outcome)) return 'unknown'
    const count = outcome.result ? countOf(outcome.result.value) : -1
    if (age === this.#world.age) {
      if (count < before && !this.#mayLose()) this.#world.violate(`${key} was at ${before}, a later get shows ${count}`)
      this.#sawCount(key, count)
    }
    return outcome.result && { count, version: outcome.result.version }
  }

  #longest(log: string): readonly string[] {
    this.#renew()
    return this.#shown.get(log) ?? []
  }

  #sawCount(key: string, count: number): void {
    this.#renew()
    this.#counted.set(key, Math.max(count, this.#counted.get(key) ?? -1))
  }

  // What nobody had flushed yet may be gone with the power.
  #renew(): void {
    if (this.#age === this.#world.age) return
    this.#age = this.#world.age
    this.#shown.clear()
    this.#counted.clear()
  }

  /** Whether a flush may have failed: then bytes that others saw may go, and those behind them stay. */
  #mayLose(): boolean {
    return this.#world.faults.has('failed flush')
  }

  #expectKnown(outcome: object, what: string): void {
    if (!('error' in outcome)) return
    const { error } = outcome
    const isKnown = SessionError.is(error) && !(NEVER.has(error.code) && !(error.code === 'CORRUPT' && this.#mayLose()))
    if (!isKnown) this.#world.violate(`${what} rejects with ${nameOf(error)}: ${String(error)}`)
  }

  async #judgeLog(adapter: StorageAdapter, log: string): Promise<void> {
    const found: (string | undefined)[] = []
    try {
      for await (const { at, records } of adapter.read(log, { salvage: this.#mayLose() })) {
        for (const [i, record] of records.entries()) found[at + i] = record
      }
    } catch (error) {
      return this.#world.violate(`${log} cannot be read: ${String(error)}`)
    }
    const appends = this.#appends.filter((append) => append.log === log)
    const owners = new Map(appends.flatMap((append) => append.records.map((record) => [record, append] as const)))
    for (const [at, record] of found.entries()) {
      if (record === undefined) continue
      const owner = owners.get(record)
      if (!owner) this.#world.violate(`${log}[${at}] holds ${label(record)}, which nobody appended`)
      else if (owner.at + owner.records.indexOf(record) !== at) {
        this.#world.violate(`${log}[${at}] holds ${label(record)}, which was appended at ${owner.at}`)
      }
    }
    for (const { at, records, fate } of appends) {
      const there = records.filter((record, i) => found[at + i] === record)
      if (fate === 'acknowledged' && there.length < records.length) {
        this.#world.counts.lost += records.length - there.length
        this.#world.violate(
          `${log}[${at}]: ${label(records[0])} was acknowledged and is lost; ${label(found[at])} stands there`,
        )
      }
      if (fate === 'failed' && there.length > 0) {
        this.#world.violate(`${log}[${at}]: ${label(records[0])} failed for certain, and is there`)
      }
      if (there.length > 0 && there.length < records.length) {
        this.#world.violate(
          `${log}[${at}]: of ${records.length} records of ${label(records[0])}, ${there.length} are there`,
        )
      }
    }
  }

  async #judgeDocument(adapter: StorageAdapter, key: string): Promise<void> {
    const puts = this.#puts.filter((put) => put.key === key)
    let current: { value: string } | undefined
    try {
      current = await adapter.get(key)
    } catch (error) {
      return this.#world.violate(`${key} cannot be read: ${String(error)}`)
    }
    const count = current ? countOf(current.value) : -1
    const acknowledged = puts.filter(({ fate }) => fate === 'acknowledged')
    for (const put of acknowledged) {
      const twin = acknowledged.find((other) => other !== put && other.count === put.count)
      if (twin && !this.#mayLose()) this.#world.violate(`${key}: two puts were acknowledged as number ${put.count}`)
      if (put.count > count) {
        this.#world.counts.lost++
        this.#world.violate(`${key} is at ${count}; number ${put.count} was acknowledged`)
      }
      if (put.count === count && put.value !== current?.value && !this.#mayLose()) {
        this.#world.violate(`${key}: number ${count} was acknowledged with another value`)
      }
    }
    const owner = puts.find(({ value }) => value === current?.value)
    if (current && !owner) this.#world.violate(`${key} holds a value that nobody put`)
    if (owner?.fate === 'failed') this.#world.violate(`${key} holds number ${count}, which failed for certain`)
  }
}

/** Everything that a log holds. */
async function readAll(adapter: StorageAdapter, log: string): Promise<string[]> {
  const all: string[] = []
  for await (const { records } of adapter.read(log)) all.push(...records)
  return all
}

const countOf = (value: string) => (JSON.parse(value) as { count: number }).count
const label = (record: string | undefined) => (record === undefined ? 'nothing' : record.slice(0, 12))
