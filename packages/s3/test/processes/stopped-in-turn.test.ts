import { SessionError, type Turn } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { noServer, openStore, realPlace, serverIsRequired, serverName, type Store } from '../servers.ts'
import { openOn, type Message } from './place.ts'
import { clockOfOthers, contents, ID, SECONDS, whileStopped } from './while-stopped.ts'

// As in stopped.test.ts, with a turn open: its lease runs out, and somebody else takes the session over, while the process lies still between its last
// look and its PUT. SESSIONTREE_S3_STOPPED=60 lets the lease run out by itself; else the clock of the others is ahead.

/** Takes the session over and says something. */
async function takeOver(store: Store): Promise<Turn<Message>> {
  const session = await openOn(store.open(), clockOfOthers).open(ID)
  const turn = await session.beginTurn({ turnId: 'next' })
  await turn.append({ role: 'user', content: 'other' })
  return turn
}

const complete = async (store: Store) => void (await (await takeOver(store)).complete())

// An append more than one record behind may be taken for garbage that nobody reads: `drop.late` in docs/adapter-contract.md.
const GONE = /^(DELETED no|written)$/

const cases: readonly {
  readonly title: string
  readonly actor: string
  readonly put?: number
  readonly act: (store: Store) => Promise<Turn<Message> | undefined>
  readonly told: string | RegExp
  /** What the session holds in the end: what was said, and the markers of its turns. */
  readonly left: { readonly said: readonly string[]; readonly markers: readonly string[] } | 'DELETED'
}[] = [
  {
    title: 'in an append of its turn; another turn takes over and ends',
    actor: 'append in a turn',
    act: complete,
    told: 'LEASE_LOST no',
    left: {
      said: ['before', 'said', 'other'],
      markers: ['stopped started', 'stopped aborted', 'next started', 'next completed'],
    },
  },
  {
    title: 'in an append of its turn; another turn takes over and goes on',
    actor: 'append in a turn',
    act: takeOver,
    told: 'LEASE_LOST no',
    left: {
      said: ['before', 'said', 'other', 'more'],
      markers: ['stopped started', 'stopped aborted', 'next started', 'next completed'],
    },
  },
  {
    title: 'in an append of its turn; others take over and delete the session',
    actor: 'append in a turn',
    async act(store) {
      await complete(store)
      await openOn(store.open(), clockOfOthers).delete(ID)
    },
    told: GONE,
    left: 'DELETED',
  },
  {
    title: 'in an append of its turn; others take over, delete the session and sweep',
    actor: 'append in a turn',
    async act(store) {
      await complete(store)
      const sessions = openOn(store.open(), clockOfOthers)
      await sessions.delete(ID)
      await sessions.sweep({ keepFor: 0 })
    },
    told: GONE,
    left: 'DELETED',
  },
  {
    title: 'in the end of its turn; another turn takes over',
    actor: 'complete a turn',
    act: takeOver,
    told: 'LEASE_LOST no',
    left: {
      said: ['before', 'said', 'other', 'more'],
      markers: ['stopped started', 'stopped aborted', 'next started', 'next completed'],
    },
  },
  {
    title: 'between the end of its turn and the release of its lease; another turn begins, and keeps its own',
    actor: 'complete a turn',
    put: 2,
    act: takeOver,
    told: 'written',
    left: {
      said: ['before', 'said', 'other', 'more'],
      markers: ['stopped started', 'stopped completed', 'next started', 'next completed'],
    },
  },
  {
    title: 'before it takes the lease; another turn begins first',
    actor: 'begin',
    act: takeOver,
    told: 'ACTIVE_TURN no',
    left: { said: ['before', 'other', 'more'], markers: ['next started', 'next completed'] },
  },
  {
    title: 'between its lease and the start of its turn; another turn takes over',
    actor: 'begin',
    put: 2,
    act: takeOver,
    told: 'ACTIVE_TURN no',
    left: { said: ['before', 'other', 'more'], markers: ['next started', 'next completed'] },
  },
]

// Most of it is waiting for a process to start.
describe.skipIf(noServer && !serverIsRequired).concurrent(`on ${serverName}, stopped`, () => {
  test.each(cases)(
    '$title: the late one changes nothing',
    async ({ actor, put = 1, act, told, left }) => {
      const place = await realPlace()
      await using store = openStore(place)
      const session = await openOn(store.open()).create(ID)
      await session.append({ role: 'user', content: 'before' })
      let next: Turn<Message> | undefined
      expect(await whileStopped({ place, store, actor, put }, async () => void (next = await act(store)))).toMatch(
        typeof told === 'string' ? new RegExp(`^${told}$`) : told,
      )
      if (next) {
        expect((await session.activeTurn())?.turnId).toBe('next')
        await next.append({ role: 'user', content: 'more' })
        await next.complete()
      }
      const sessions = openOn(store.open(), clockOfOthers)
      if (left === 'DELETED') {
        const error: unknown = await sessions.open(ID).catch((reason: unknown) => reason)
        expect(SessionError.is(error) && error.code).toBe(left)
        await sessions.sweep({ keepFor: 0 })
        expect(await Array.fromAsync(sessions.list())).toEqual([])
        return
      }
      const again = await sessions.open(ID)
      const entries = await again.entries().toArray()
      const markers = entries.flatMap((one) => ('status' in one ? [`${one.turnId} ${String(one.status)}`] : []))
      expect({ said: await contents(again), markers }).toEqual(left)
      // Not on another branch either.
      expect(entries.filter((one) => 'message' in one)).toHaveLength(left.said.length)
      expect((await again.verify()).problems).toEqual([])
      expect(await again.activeTurn()).toBeUndefined()
    },
    150_000 + SECONDS * 1000,
  )
})
