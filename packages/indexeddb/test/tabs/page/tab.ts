import { openSessions, SessionError, type StorageAdapter, type Verification } from '@sessiontree/core'
import { estimate, indexedDb, type IndexedDbOptions, type StorageSpace } from '../../../src/index.ts'
import { tabLock } from '../../../src/web-lock.ts'

/** How a call ended; the fields of an error, because its class is lost on the way out of the page. */
export type Outcome =
  | { readonly ok: true }
  | {
      readonly ok: false
      readonly code: string
      readonly written?: string
      readonly usage?: number
      readonly quota?: number
      readonly message: string
    }

/** An entry as the page saw it when its append resolved. */
export interface Acknowledged {
  readonly id: string
  readonly parentId: string | null
  readonly position: readonly [segment: number, at: number]
}

const adapters = new Map<string, StorageAdapter>()
const adapterOf = (name: string, options?: IndexedDbOptions) => {
  const adapter = adapters.get(name) ?? indexedDb(name, options)
  adapters.set(name, adapter)
  return adapter
}
let wakes = 0
const stopping = new AbortController()
const holds: AsyncDisposable[] = []

async function outcome(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    await work()
    return { ok: true }
  } catch (error) {
    if (!SessionError.is(error)) return { ok: false, code: 'none', message: String(error) }
    const { code, written, message } = error
    const figures = SessionError.is(error, 'QUOTA') ? { usage: error.usage ?? -1, quota: error.quota ?? -1 } : {}
    return { ok: false, code, written, message, ...figures }
  }
}

async function records(name: string, log: string): Promise<readonly string[]> {
  const all: string[] = []
  for await (const batch of adapterOf(name).read(log)) all.push(...batch.records)
  return all
}

const tab = {
  append: (name: string, log: string, at: number, texts: readonly string[]) =>
    outcome(() => adapterOf(name).append(log, at, texts)),
  records,
  /** The numbers that large records bear; the records themselves take long to leave the page. */
  numbers: async (name: string, log: string): Promise<readonly number[]> =>
    (await records(name, log)).map((text) => (JSON.parse(text) as { at: number }).at),
  put: (name: string, key: string, value: string) =>
    outcome(() => adapterOf(name).put(key, value, { expect: 'absent' })),
  get: (name: string, key: string) => outcome(() => adapterOf(name).get(key)),
  estimate: (): Promise<StorageSpace> => estimate(),

  /** Appends ever larger batches and never ends; tells each of them. */
  async appendForEver(name: string, log: string, size: number): Promise<void> {
    const told = globalThis as unknown as { acknowledge: (at: number) => void }
    const length = (await records(name, log)).length
    for (let at = length; ; at += 4) {
      const texts = [0, 1, 2, 3].map((i) => JSON.stringify({ at: at + i, text: 'x'.repeat(size) }))
      await adapterOf(name).append(log, at, texts)
      told.acknowledge(at)
    }
  },

  /** Appends one record after the other, and settles what is uncertain by appending to the same place again. */
  async appendUntilStopped(name: string, log: string) {
    const acknowledged: [at: number, text: string][] = []
    const refusals: Outcome[] = []
    let at = (await records(name, log)).length
    for (let number = 0; !stopping.signal.aborted; number++) {
      const text = `"number ${number}"`
      const ended = await outcome(() => adapterOf(name).append(log, at, [text]))
      if (ended.ok) acknowledged.push([at, text])
      else if (ended.code !== 'CONFLICT') refusals.push(ended)
      // After a conflict or without an answer: what stands there tells.
      at = ended.ok ? at + 1 : (await records(name, log)).length
    }
    return { acknowledged, refusals }
  },
  stop: () => stopping.abort(),

  /** Appends messages `from` to before `to` of one writer, each under an id of its own, and tells each of them. */
  async appendMessages(name: string, writer: string, from: number, to: number): Promise<void> {
    const told = globalThis as unknown as { acknowledge: (entry: Acknowledged) => void }
    const session = await openSessions(adapterOf(name)).getOrCreate('shared')
    // Some may be there already, written by the tab that was killed before anybody heard of them; others may have written much since.
    let start = from
    for await (const { id, parentId, position } of session.entries()) {
      const [own, number] = id.split('-')
      if (own !== writer || Number(number) < from) continue
      told.acknowledge({ id, parentId, position })
      start = Number(number)
    }
    for (let number = start; number < to; number++) {
      const id = `${writer}-${number}`
      const ifAbsent = number === start ? ({ ifAbsent: 'whole-log' } as const) : {}
      const message = { role: 'user', content: `message ${number} of ${writer}` }
      const entry = await session.append(message, { id, onConflict: 'rebase', ...ifAbsent })
      told.acknowledge({ id, parentId: entry.parentId, position: entry.position })
    }
  },

  async entries(name: string): Promise<readonly Acknowledged[]> {
    const found: Acknowledged[] = []
    const shared = await openSessions(adapterOf(name)).open('shared')
    for await (const { id, parentId, position } of shared.entries()) found.push({ id, parentId, position })
    return found
  },
  async verify(name: string): Promise<Verification> {
    return (await openSessions(adapterOf(name)).open('shared')).verify()
  },

  watch(name: string, log: string): void {
    adapterOf(name).watch?.(log, () => wakes++, new AbortController().signal)
  },
  wakes: () => wakes,

  async lock(name: string, key: string): Promise<boolean> {
    const hold = await tabLock(name).acquire(key)
    if (hold) holds.push(hold)
    return hold !== undefined
  },
  isLocked: (name: string, key: string): Promise<boolean> => tabLock(name).isHeld(key),

  /** How many locks of a store are held, by any tab. */
  async locksHeld(name: string): Promise<number> {
    const { held = [] } = await navigator.locks.query()
    return held.filter((lock) => lock.name?.includes(JSON.stringify(name))).length
  },

  /** Begins a turn and says something in it; it stays open. Without the lock only its lease tells whether a turn is over. */
  takeTurn: (name: string, content: string, { locked = true } = {}): Promise<Outcome> =>
    outcome(async () => {
      const options = locked ? { turnLock: tabLock(name) } : {}
      const session = await openSessions(adapterOf(name), options).getOrCreate('shared')
      const turn = await session.beginTurn()
      await turn.append({ role: 'user', content })
    }),
  async contents(name: string): Promise<readonly unknown[]> {
    const { messages } = await (await openSessions(adapterOf(name)).open('shared')).context()
    return messages.map((message) => message['content'])
  },
}

/** What a test may call in the page. */
export type TabFunctions = typeof tab

Object.assign(globalThis, { tab })
