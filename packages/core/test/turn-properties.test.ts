import { MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeRecord,
  SessionError,
  type RoleMessage,
  type Session,
  type SessionRecord,
  type StorageAdapter,
  type Turn,
} from '../src/index.ts'
import { handClock, settle } from './hand-clock.ts'
import { seededRandom } from './seeded.ts'
import { openOn, user } from './turn-rig.ts'

const HANDLES = [0, 1] as const
type Handle = (typeof HANDLES)[number]

/** What one handle does; `reopen` is a crash, after which its process starts again. */
const ACTS = [
  'begin',
  'begin by force',
  'append',
  'append a batch',
  'append aside',
  'save point',
  'complete',
  'fail',
  'abort',
  'recover',
  'write without a turn',
  'write elsewhere',
  'move',
  'reopen',
] as const
interface Act {
  readonly handle: Handle
  readonly act: (typeof ACTS)[number]
}

const act: fc.Arbitrary<Act> = fc.record({
  handle: fc.constantFrom(...HANDLES),
  // Long turns are worth more than many.
  act: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...ACTS) },
    fc.constantFrom<Act['act']>('begin', 'append', 'append a batch'),
  ),
})
/** Acts that are under way at the same time, and how much time passes behind them. */
const moment = fc.record({
  acts: fc.array(act, { minLength: 1, maxLength: 4 }),
  passes: fc.constantFrom(0, 0, 0, 11_000, 40_000),
})

/** An adapter whose calls take a while, each as long as the seed says. */
function slow(inner: StorageAdapter, seed: number): StorageAdapter {
  const random = seededRandom(seed)
  const wait = async () => {
    for (let left = (random.bytes(1)[0] as number) % 6; left > 0; left--) await Promise.resolve()
  }
  const call = async <Result>(send: () => Promise<Result>) => {
    await wait()
    const result = await send()
    await wait()
    return result
  }
  return {
    ...inner,
    append: (...args) => call(() => inner.append(...args)),
    get: (...args) => call(() => inner.get(...args)),
    put: (...args) => call(() => inner.put(...args)),
  }
}

interface Told {
  /** Ids of entries that were acknowledged, and the turn they are of. */
  readonly stored: Map<string, string | undefined>
  readonly ended: Map<string, string>
  readonly begun: Map<string, number>
}

/** One process with a handle of the session: its turn, if it has one. */
class Actor {
  readonly #open: () => Promise<Session<RoleMessage>>
  readonly #told: Told
  #session: Session<RoleMessage> | undefined
  #turn: Turn<RoleMessage> | undefined

  constructor(open: () => Promise<Session<RoleMessage>>, told: Told) {
    this.#open = open
    this.#told = told
  }

  async do(what: Act['act'], base: string): Promise<void> {
    this.#session ??= await this.#open()
    try {
      await this.#do(what, this.#session, base)
    } catch (error) {
      const expected = ['ACTIVE_TURN', 'LEASE_LOST', 'CONFLICT', 'CLOSED', 'BUSY']
      if (!SessionError.is(error) || !expected.includes(error.code)) throw error
      expect(error.written).toBe('no')
    }
  }

  async #do(what: Act['act'], session: Session<RoleMessage>, base: string): Promise<void> {
    const { stored, begun } = this.#told
    const turn = this.#turn
    switch (what) {
      case 'begin':
      case 'begin by force': {
        const next = await session.beginTurn({ force: what !== 'begin' })
        begun.set(next.id, next.epoch)
        this.#turn = next
        return
      }
      case 'recover':
        return void (await session.recover())
      case 'write without a turn':
        return void stored.set((await session.append(user('plain'), { onConflict: 'rebase' })).id, undefined)
      case 'write elsewhere':
        return void stored.set((await session.append(user('elsewhere'), { parent: base })).id, undefined)
      case 'move':
        return session.moveTo(base)
      case 'reopen':
        this.#session = undefined
        this.#turn = undefined
        return
      default:
        if (turn) await this.#goOn(what, turn)
    }
  }

  async #goOn(what: Act['act'], turn: Turn<RoleMessage>): Promise<void> {
    const { stored, ended } = this.#told
    switch (what) {
      case 'append a batch':
        for (const { id } of await turn.append([user('1'), user('2')])) stored.set(id, turn.id)
        return
      case 'append aside':
        return void stored.set((await turn.append(user('aside'), { leaf: 'keep' })).id, turn.id)
      case 'save point':
        return void stored.set((await turn.savePoint()).id, turn.id)
      case 'complete':
        return void ended.set(turn.id, (await turn.complete()).status)
      case 'fail':
        return void ended.set(turn.id, (await turn.fail('by chance')).status)
      case 'abort':
        return void ended.set(turn.id, (await turn.abort()).status)
      default:
        return void stored.set((await turn.append(user('m'))).id, turn.id)
    }
  }
}

const statusOf = ({ content }: SessionRecord) =>
  content.type === 'turn_marker' ? String(content['status']) : undefined
const TERMINAL = ['completed', 'waiting', 'failed', 'aborted']

/** What must hold of every log that turns have written. */
function check(records: readonly SessionRecord[], { stored, ended, begun }: Told): void {
  for (const [id, turn] of stored) {
    const found = records.filter((record) => record.id === id)
    expect(found.map(({ turnId }) => turnId)).toEqual([turn])
  }
  let [open, epoch]: [string | undefined, number] = [undefined, 0]
  const turnOf = new Map<string, string | undefined>()
  let leaf: string | null = null
  for (const record of records) {
    const { state, turnId, parentId } = record
    const status = statusOf(record)
    turnOf.set(record.id, turnId)
    expect(state.epoch).toBeGreaterThanOrEqual(epoch)
    if (status === 'started') {
      expect(open).toBeUndefined()
      open = turnId
    }
    if (turnId !== undefined) expect(turnId).toBe(open)
    else if (open !== undefined) {
      // Somebody else, elsewhere, without the leaf.
      expect(state.leaf?.id).toBe(leaf)
      expect(turnOf.get(parentId ?? '')).not.toBe(open)
    }
    ;({ epoch } = state)
    leaf = state.leaf?.id ?? null
    if (status !== undefined && TERMINAL.includes(status)) open = undefined
    expect(state.turn).toBe(open ?? null)
  }
  const started = records.filter((record) => statusOf(record) === 'started')
  const epochs = started.map(({ state }) => state.epoch)
  expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b))
  for (const { turnId, state } of started) {
    const ends = records.filter((record) => record.turnId === turnId && TERMINAL.includes(statusOf(record) ?? ''))
    expect(ends).toHaveLength(1)
    const said = ended.get(turnId as string)
    if (said !== undefined) expect(statusOf(ends[0]!)).toBe(said)
    if (begun.has(turnId as string)) expect(begun.get(turnId as string)).toBe(state.epoch)
  }
  for (const id of begun.keys()) expect(started.map(({ turnId }) => turnId)).toContain(id)
}

test(
  'two handles with turns, takeovers, crashes and others’ writes: every log keeps the rules',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { minLength: 1, maxLength: 12 }), fc.nat(), async (moments, seed) => {
        const [store, clock] = [new MemoryStore(), handClock()]
        const first = await openOn(store, clock, 99).create('s')
        const base = await first.append(user('base'))
        const told: Told = {
          stored: new Map([[base.id, undefined]]),
          ended: new Map(),
          begun: new Map(),
        }
        let opened = 0
        const closing: (() => Promise<void>)[] = []
        const actors = HANDLES.map(
          (handle) =>
            new Actor(async () => {
              const number = ++opened
              const sessions = openOn(store, clock, seed + number * 2 + handle, (inner) => slow(inner, seed + number))
              closing.push(() => sessions.close())
              return sessions.open('s')
            }, told),
        )
        for (const { acts, passes } of moments) {
          await Promise.all(acts.map(({ handle, act: what }) => actors[handle]!.do(what, base.id)))
          if (passes > 0) await clock.advance(passes)
        }
        await Promise.all(closing.map((close) => close()))
        await settle()
        await clock.advance(36_000)
        await first.recover()
        const log = 'session/s/0'
        check(
          (store.logs.get(log) ?? []).map((text, at) => decodeRecord(text, [0, at], log)),
          told,
        )
        expect((await first.verify()).ok).toBe(true)
        expect(await first.activeTurn()).toBeUndefined()
      }),
      { numRuns: 200 },
    )
  },
)
