import { assert, assertEqual } from '../assert.ts'
import { delegate } from '../delegate.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import { abortableSignal } from '../signal.ts'
import type { SessionCase } from '../session-case.ts'

const user = (content: string) => ({ role: 'user', content })

/** What happens to the names of logs and documents below a scope. */
async function namesBelow({
  keys,
  logs,
}: {
  keys: AsyncIterable<readonly string[]>
  logs: AsyncIterable<readonly string[]>
}): Promise<string[]> {
  return [...(await collect(keys)), ...(await collect(logs))].flat()
}

/** Changing, deleting, erasing and sweeping sessions. */
export const removalCases: readonly SessionCase[] = [
  {
    id: 'session/update',
    group: 'session',
    title: 'patches of title and metadata from two handles at once all take effect',
    async run({ sessions }) {
      const one = await (await sessions()).create('s', { title: 'first', metadata: { keep: 1, drop: 2 } })
      const two = await (await sessions()).open('s')
      await Promise.all([
        one.update({ metadata: { drop: null } }),
        two.update({ title: 'second' }),
        one.update({ metadata: { one: { nested: true } } }),
        two.update({ metadata: { two: [1, 2] } }),
      ])
      const again = await (await sessions()).open('s')
      assertEqual(again.title, 'second', 'the title')
      assertEqual(again.metadata, { keep: 1, one: { nested: true }, two: [1, 2] }, 'the metadata')
      await again.update({ title: null })
      await one.refresh()
      assertEqual(one.title, undefined, 'the title on another handle')
    },
  },
  {
    id: 'session/delete',
    group: 'session',
    title: 'a deleted session is gone for every handle, its id stays spent, and no other session is touched',
    async run({ open, sessions }) {
      const one = await sessions()
      const session = await one.create('s', { title: 'secret title' })
      const early = await (await sessions()).open('s')
      assertEqual(await early.leaf(), undefined, 'the leaf of a new session')
      await session.append([user('secret'), user('secret too')])
      const other = await one.create('s2')
      await other.append(user('kept'))
      const writer = await (await sessions()).open('s')
      const { entries } = await writer.context()
      const cold = await Promise.all([1, 2, 3].map(async () => (await sessions()).open('s')))
      await one.delete('s')
      await one.delete('s')
      for (const handle of [one, await sessions()]) {
        await assertCode(handle.open('s'), 'DELETED', 'open')
        await assertCode(handle.create('s'), 'DELETED', 'create')
        await assertCode(handle.getOrCreate('s'), 'DELETED', 'getOrCreate')
        assertEqual(
          (await collect(handle.list())).map(({ id }) => id),
          ['s2'],
          'the list',
        )
        await assertCode(handle.delete('nobody'), 'NOT_FOUND', 'delete of a session that never was')
      }
      await assertCode(writer.append(user('late')), 'DELETED', 'an append on a handle that was open')
      await assertCode(early.append(user('late')), 'DELETED', 'an append on a handle that saw it empty')
      await assertCode(collect(early.entries()), 'DELETED', 'a look on that handle')
      await assertCode(writer.refresh(), 'DELETED', 'a look on a handle that was open')
      await assertCode(session.append(user('late')), 'DELETED', 'an append on the handle that deleted')
      await assertCode(writer.entry('nobody'), 'DELETED', 'a search on a handle that was open')
      await assertCode(
        collect((cold[0] as typeof session).path()),
        'DELETED',
        'a path on a handle that had not looked yet',
      )
      await assertCode((cold[0] as typeof session).context(), 'DELETED', 'a second look on that handle')
      await assertCode((cold[1] as typeof session).moveTo(entries[0] ?? null), 'DELETED', 'a move on such a handle')
      await assertCode((cold[2] as typeof session).append(user('late')), 'DELETED', 'an append on such a handle')
      const adapter = await open()
      assertEqual(await collect(adapter.read('session/s/0')), [], 'what the log still holds')
      const tombstone = await adapter.get('session/s')
      assert(tombstone?.value.includes('secret') === false, 'the tombstone holds nothing of the session')
      assertEqual((await (await one.open('s2')).context()).messages, [user('kept')], 'the other session')
    },
  },
  {
    id: 'session/delete-nothing-to-write',
    group: 'session',
    title: 'a call that would find nothing to write is told as well that its session was deleted',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s')
      const stored = await session.append(user('kept'), { id: 'kept' })
      const lagging = async () => {
        const handle = await (await sessions()).open('s')
        await handle.leaf()
        return handle
      }
      const [moving, appending, saving] = await Promise.all([lagging(), lagging(), lagging()])
      await moving.moveTo(stored)
      assertEqual(await appending.append(user('kept'), { id: 'kept' }), stored, 'an append that was made already')
      assertEqual((await saving.save([user('kept')])).kept, 1, 'a save of what is there')
      await one.delete('s')
      await assertCode(moving.moveTo(stored), 'DELETED', 'a move to where the leaf was')
      await assertCode(appending.append(user('kept'), { id: 'kept' }), 'DELETED', 'an append that was made already')
      await assertCode(saving.save([user('kept')]), 'DELETED', 'a save of what was there')
    },
  },
  {
    id: 'session/delete-behind-turn',
    group: 'session',
    title:
      'a lease that was left behind, because its holder died between the end of its turn and the release, keeps nobody off',
    async run({ open, sessions }) {
      const adapter = await open()
      let isDead = false
      const dying = delegate(adapter, {
        put: async (...args) => {
          if (isDead) throw new Error('died')
          return adapter.put(...args)
        },
      })
      const holders = await sessions({}, dying)
      const owner = await holders.create('s')
      const child = await holders.create('child', { parent: { session: 's' } })
      const turns = [await owner.beginTurn(), await child.beginTurn()]
      const one = await sessions()
      await assertCode(one.delete('s', { subAgents: 'keep' }), 'ACTIVE_TURN', 'a deletion while a turn runs')
      isDead = true
      for (const turn of turns) assert((await turn.complete()).problem !== undefined, 'the release failed')
      const session = await one.open('s')
      assertEqual((await session.activeTurn())?.isExpired, true, 'what is said of the lease')
      await session.append(user('goes on'))
      await (await (await one.open('child')).beginTurn()).complete()
      await one.delete('s', { subAgents: 'delete' })
      for (const id of ['s', 'child']) await assertCode(one.open(id), 'DELETED', `open of ${id}`)
    },
  },
  {
    id: 'session/sweep',
    group: 'session',
    title: 'a deletion that was interrupted after any step is finished by a sweep; living sessions are left alone',
    async run({ open, sessions }) {
      let isFinished = false
      for (let step = 0; !isFinished; step++) {
        const one = await sessions()
        const id = `s${step}`
        await (await one.create(id)).append(user('x'))
        const { signal, abort } = abortableSignal()
        let left = step
        const adapter = await open()
        const interrupted = async <Result>(call: () => Promise<Result>): Promise<Result> => {
          if (left-- <= 0) abort()
          if (signal.aborted) throw signal.reason
          return call()
        }
        const dying = await sessions(
          {},
          {
            ...adapter,
            append: (...args) => interrupted(() => adapter.append(...args)),
            drop: (...args) => interrupted(() => adapter.drop(...args)),
            put: (...args) => interrupted(() => adapter.put(...args)),
            remove: (...args) => interrupted(() => adapter.remove(...args)),
          },
        )
        isFinished = await dying.delete(id, { signal }).then(
          () => true,
          () => false,
        )
        const report = await one.sweep()
        assertEqual([report.failed, report.orphans], [[], []], 'what the sweep could not do')
        if (step > 0) await assertCode(one.open(id), 'DELETED', `open after step ${step}`)
        if (step > 0) assertEqual(await collect(adapter.read(`session/${id}/0`)), [], `the log after step ${step}`)
      }
      const one = await sessions()
      const living = await collect(one.list())
      assertEqual(
        living.map(({ id }) => id),
        ['s0'],
        'the only session that was never deleted',
      )
      assertEqual((await (await one.open('s0')).context()).messages, [user('x')], 'its messages')
      const again = await one.sweep()
      assertEqual([again.deletesFinished, again.logsDropped], [0, 0], 'a second sweep has nothing to do')
    },
  },
  {
    id: 'session/erase',
    group: 'session',
    title: 'an erased scope is empty for whoever opens it, nothing of it is left, and no other scope is touched',
    async run({ open, sessions }) {
      const scope = ['acme', 'user-7']
      const one = await sessions({ scope })
      for (const id of ['a', 'b']) await (await one.create(id, { title: 'secret' })).append(user('secret'))
      await one.delete('b')
      const inner = await sessions({ scope: [...scope, 'project'] })
      await (await inner.create('c')).append(user('secret'))
      for (const other of [['acme'], ['acme', 'user-70'], ['acme', 'user'], []]) {
        await (await (await sessions({ scope: other })).create('kept')).append(user('kept'))
      }
      const old = await (await sessions({ scope })).open('a')
      const receipt = await one.erase()
      assertEqual(
        [receipt.complete, receipt.failed, receipt.logs >= 2, receipt.scope],
        [true, [], true, scope],
        'the receipt',
      )
      const adapter = await open()
      const left = await namesBelow({ keys: adapter.keys('acme.0/user-7.0'), logs: adapter.logs('acme.0/user-7.0') })
      assertEqual(left, [], 'what is left below the erased name')
      for (const handle of [one, await sessions({ scope })]) {
        assertEqual(await collect(handle.list()), [], 'the list')
        await assertCode(handle.open('a'), 'NOT_FOUND', 'open of what was erased')
      }
      await (await one.create('a')).append(user('new'))
      await old.append(user('into the void')).catch(() => {})
      const after = await (await sessions({ scope })).open('a')
      assertEqual((await after.context()).messages, [user('new')], 'a session of the same id, made anew')
      await one.sweep()
      const swept = await namesBelow({ keys: adapter.keys('acme.0/user-7.0'), logs: adapter.logs('acme.0/user-7.0') })
      assertEqual(swept, [], 'what an old handle wrote into the void, after a sweep')
      for (const other of [['acme'], ['acme', 'user-70'], ['acme', 'user'], []]) {
        const kept = await (await sessions({ scope: other })).open('kept')
        assertEqual((await kept.context()).messages, [user('kept')], `scope ${other.join('/')}`)
      }
    },
  },
]
