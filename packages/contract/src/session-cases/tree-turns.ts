import { systemClock, type StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode, assertErrorCode, outcomeOf } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { asleep, EXPIRED } from './asleep.ts'
import { entriesOf, say, user, type Conversation } from './conversation.ts'

/** The markers of a session, as `turn status`. */
async function markersOf(session: Conversation): Promise<string[]> {
  const entries = await collect(session.entries())
  return entries.flatMap((entry) => ('status' in entry ? [`${entry.turnId} ${String(entry.status)}`] : []))
}

/** Puts something in the place of a session's lease, past every check. */
async function forgeLease(adapter: StorageAdapter, lease: unknown): Promise<void> {
  const { value, version } = { ...(await adapter.get('session/s')) }
  const changed = JSON.stringify({ ...(JSON.parse(String(value)) as object), lease })
  await adapter.put('session/s', changed, { expect: String(version) })
}

/** Lines 26 to 28 of the session tree: who holds a session. */
export const leaseLines: readonly SessionCase[] = [
  {
    id: 'tree:26',
    group: 'tree',
    title:
      'one turn at a time holds a session: a second one is ACTIVE_TURN for every owner and handle, and writes nothing; others are free',
    needs: ['sharing'],
    async run({ sessions }) {
      const here = await sessions({ clock: asleep() })
      const one = await here.create('s')
      await say(one, 'a')
      const two = await (await sessions({ clock: asleep() })).open('s')
      const turn = await one.beginTurn({ turnId: 'first', owner: 'me' })
      const before = await entriesOf(one)
      for (const [session, options] of [
        [one, {}],
        [one, { turnId: 'first', owner: 'me' }],
        [two, { owner: 'somebody else' }],
      ] as const) {
        const error = await assertCode(session.beginTurn(options), 'ACTIVE_TURN', 'a second turn')
        assertEqual([error.turnId, error.owner, error.isExpired], ['first', 'me', false], 'who holds it')
      }
      await assertCode(two.append(user('x')), 'ACTIVE_TURN', 'an append without the turn')
      assertEqual(await entriesOf(await (await sessions()).open('s')), before, 'the entries')
      const info = await two.activeTurn()
      assertEqual(
        [info?.turnId, info?.owner, info?.epoch],
        ['first', 'me', turn.epoch],
        'the turn, as another handle sees it',
      )
      const fork = await two.fork({ id: 'f', at: 'a' })
      for (const other of [await here.create('t'), fork]) await (await other.beginTurn()).complete()
      await turn.complete()
      assertEqual(await two.activeTurn(), undefined, 'the turn after its end')
      const next = await two.beginTurn()
      assert(next.epoch > turn.epoch, `epoch ${next.epoch} is higher than ${turn.epoch}`)
      await next.complete()
    },
  },
  {
    id: 'tree:27',
    group: 'tree',
    title:
      'who does not hold a session releases nothing; leases are cleared strictly before a cutoff, and the cleared one is told',
    async run({ sessions }) {
      const session = await (await sessions({ clock: asleep() })).create('s')
      const { owner, id: turnId } = await session.beginTurn({ turnId: 'mine', owner: 'me' })
      for (const wrong of [
        { turnId, owner: 'somebody else' },
        { turnId: 'another', owner },
      ]) {
        assertEqual(await session.releaseTurn(wrong), false, 'a release by somebody else')
      }
      const held = await (await (await sessions()).open('s')).activeTurn()
      assertEqual([held?.turnId, held?.owner], ['mine', 'me'], 'the turn')
      const acquired = Date.parse(String(held?.acquiredAt))
      for (const cutoff of [0, new Date(0), acquired - 1, String(held?.acquiredAt)]) {
        assertEqual(await session.clearExpired(cutoff), undefined, `what was cleared before ${String(cutoff)}`)
      }
      const cleared = await session.clearExpired(acquired + 1)
      assertEqual([cleared?.turnId, cleared?.owner], ['mine', 'me'], 'what was cleared a millisecond later')
      assertEqual(await session.activeTurn(), undefined, 'the turn that is left')
      assertEqual(await session.clearExpired(acquired + 1), undefined, 'what is cleared a second time')
      const next = await session.beginTurn({ turnId: 'next', owner: 'me' })
      assertEqual(await session.releaseTurn({ turnId: 'next', owner: 'me' }), true, 'a release by its owner')
      assertEqual(await session.activeTurn(), undefined, 'the turn after that')
      await next.abort()
    },
  },
  {
    id: 'tree:28',
    group: 'tree',
    title: 'a lease of which half is missing can be looked at, and hinders nobody',
    async run({ open, sessions }) {
      const adapter = await open()
      await say(await (await sessions()).create('s'), 'a')
      for (const lease of [{}, 'half', { turn: 'gone', owner: 'somebody' }, { expiresAt: 'soon', epoch: 'one' }]) {
        await forgeLease(adapter, lease)
        const session = await (await sessions({ clock: asleep() })).open('s')
        const info = await session.activeTurn()
        assertEqual(
          [typeof info?.turnId, info?.isExpired],
          ['string', true],
          `what is told of ${JSON.stringify(lease)}`,
        )
        const turn = await session.beginTurn()
        await turn.complete()
        assertEqual(await session.activeTurn(), undefined, `what is left of ${JSON.stringify(lease)}`)
      }
      await forgeLease(adapter, { turn: 'gone' })
      const session = await (await sessions()).open('s')
      assertEqual((await session.clearExpired(systemClock.now() + 1))?.turnId, 'gone', 'what is cleared')
      assertEqual(await session.activeTurn(), undefined, 'the turn that is left')
    },
  },
  {
    id: 'tree:28/takeover',
    group: 'tree',
    title: 'of two that take over an expired lease one does; the one that had it writes nothing from then on',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions({ clock: asleep() })).create('s')
      await say(one, 'a')
      const old = await one.beginTurn({ turnId: 'old' })
      await old.append(user('said'), { id: 'said' })
      const others = await Promise.all([1, 2].map(async () => (await sessions({ clock: asleep(EXPIRED) })).open('s')))
      const attempts = await Promise.all(
        others.map((session, i) => outcomeOf(session.beginTurn({ turnId: `new ${i}` }))),
      )
      const [turn, ...more] = attempts.flatMap((attempt) => (attempt.ok ? [attempt.value] : []))
      assert(
        turn !== undefined && more.length === 0,
        `one of two takes over, not ${attempts.filter(({ ok }) => ok).length}`,
      )
      for (const attempt of attempts) if (!attempt.ok) assertErrorCode(attempt.error, 'ACTIVE_TURN', 'the other one')
      assertEqual(
        turn.recovered.map(({ turnId }) => turnId),
        ['old'],
        'the turn that it closed',
      )
      const before = await entriesOf(one)
      await one.refresh()
      await assertCode(old.append(user('late'), { id: 'late' }), 'LEASE_LOST', 'an append of the old turn')
      await assertCode(old.complete(), 'LEASE_LOST', 'the end of the old turn')
      assert(old.signal.aborted, 'its signal is aborted')
      await turn.append(user('next'), { id: 'next' })
      await turn.complete()
      const again = await (await sessions()).open('s')
      assertEqual((await entriesOf(again)).slice(0, -2), before, 'the entries')
      const markers = ['old started', 'old aborted', `${turn.id} started`, `${turn.id} completed`]
      assertEqual(await markersOf(again), markers, 'the markers')
      assert((await again.verify()).ok, 'the session verifies')
    },
  },
]
