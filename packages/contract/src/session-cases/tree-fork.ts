import { contentHash, type RoleMessage, type Sessions } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { crashing } from '../crashing.ts'
import { collect } from '../reading.ts'
import { assertCode, assertErrorCode, outcomeOf } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { asleep } from './asleep.ts'
import { assistant, calls, entriesOf, pathOf, result, say, user, type Conversation } from './conversation.ts'

/** Lines 16 to 19 and 24 of the session tree: forks. */
export const forkLines: readonly SessionCase[] = [
  {
    id: 'tree:16',
    group: 'tree',
    title:
      'a fork holds the path to its entry, the entries as they are, and says where it comes from; nothing of the source changes',
    async run({ sessions }) {
      const source = await (await sessions()).create('s', { title: 'title', metadata: { kept: 1 } })
      await say(source, 'a', 'b')
      await source.record({ type: 'compaction', summary: 'sum', firstKeptEntryId: 'b' }, { id: 'c' })
      await say(source, 'd')
      await source.append(user('x'), { id: 'x', parent: 'a' })
      await source.moveTo('d')
      const before = await collect(source.entries())
      const fork = await source.fork({ id: 'f', at: 'c' })
      const ofLeaf = await source.fork()
      const shared = before.filter(({ id }) => 'abc'.includes(id))
      for (const handle of [fork, await (await sessions()).open('f')]) {
        assertEqual(await collect(handle.path()), shared, 'the path of the fork')
        assertEqual(await entriesOf(handle), ['a', 'b', 'c'], 'its entries')
        assertEqual(handle.forkedFrom, { session: 's', entry: 'c' }, 'where it comes from')
        assertEqual([handle.title, handle.metadata], [undefined, {}], 'its title and metadata')
        await assertCode(handle.entry('x'), 'NOT_FOUND', 'an entry of another branch')
        await assertCode(handle.entry('d'), 'NOT_FOUND', 'an entry behind the cut')
        assert((await handle.verify()).ok, 'the fork verifies')
      }
      assertEqual(await pathOf(ofLeaf), ['a', 'b', 'c', 'd'], 'the path of a fork at the leaf')
      assertEqual(ofLeaf.forkedFrom, { session: 's', entry: 'd' }, 'where it comes from')
      const entry = await fork.append(user('a'))
      assertEqual(entry.hash, contentHash({ type: 'user_message', message: user('a') }), 'the hash of the same message')
      assertEqual(entry.hash, shared[0]?.hash, 'the hash of the same message in the source')
      const again = await (await sessions()).open('s')
      assertEqual(await collect(again.entries()), before, 'the entries of the source')
      assertEqual([(await again.leaf())?.id, again.title], ['d', 'title'], 'its leaf and title')
    },
  },
  {
    id: 'tree:17',
    group: 'tree',
    title:
      'a fork before an entry ends with its parent, before the first one it is empty; what is not there is NOT_FOUND, a used id EXISTS',
    async run({ sessions }) {
      const one = await sessions()
      const source = await one.create('s')
      await say(source, 'a', 'b', 'c')
      const [middle, first] = [await source.fork({ before: 'c' }), await source.fork({ id: 'empty', before: 'a' })]
      assertEqual([await pathOf(middle), middle.forkedFrom], [['a', 'b'], { session: 's', entry: 'b' }], 'before c')
      for (const handle of [first, await (await sessions()).open('empty')]) {
        assertEqual(await entriesOf(handle), [], 'the entries of a fork before the first one')
        assertEqual(await handle.leaf(), undefined, 'its leaf')
        assertEqual(handle.forkedFrom, { session: 's', entry: null }, 'where it comes from')
      }
      const [root] = await say(first, 'a')
      assertEqual([root?.parentId, await pathOf(first)], [null, ['a']], 'what is appended to it')
      const nothing = await one.create('nothing')
      assertEqual(await entriesOf(await nothing.fork()), [], 'the entries of a fork of an empty session')
      await say(await one.create('used', { title: 'kept' }), 'kept')
      await assertCode(nothing.fork({ before: 'a' }), 'NOT_FOUND', 'a fork before an entry of another session')
      await assertCode(source.fork({ at: 'nobody' }), 'NOT_FOUND', 'a fork at an unknown entry')
      await assertCode(source.fork({ id: 'used' }), 'EXISTS', 'a fork with a used id')
      await assertCode(source.fork({ id: 's' }), 'EXISTS', 'a fork with the id of its source')
      const used = await (await sessions()).open('used')
      assertEqual([used.title, await pathOf(used)], ['kept', ['kept']], 'what had the id')
    },
  },
  {
    id: 'tree:18',
    group: 'tree',
    title: 'a fork that is interrupted anywhere is absent or complete, and can be made again',
    async run({ open, sessions }) {
      await say(await (await sessions()).create('s'), 'a', 'b', 'c')
      const opening = crashing(await open(), { after: Infinity })
      await (await (await sessions({}, opening.adapter)).open('s')).leaf()
      let made = 0
      for (let after = opening.steps, done = false; !done; after++) {
        const { adapter, crashed } = crashing(await open(), { after })
        const source = await (await sessions({}, adapter)).open('s')
        await source.leaf()
        const id = `f${after}`
        const forking = outcomeOf(source.fork({ id, at: 'b' }))
        done = await Promise.race([forking.then(() => true), crashed.then(() => false)])
        const fresh = await sessions()
        const found = await outcomeOf(fresh.open(id))
        if (found.ok) assertEqual(await pathOf(found.value), ['a', 'b'], `the fork after step ${after}`)
        else assertErrorCode(found.error, 'NOT_FOUND', `open after step ${after}`)
        if (found.ok) made++
        const again = await (await fresh.open('s')).fork({ id, at: 'b' })
        assertEqual(await pathOf(again), ['a', 'b'], `the fork that is made again after step ${after}`)
      }
      assert(made > 0, 'the last fork is made')
      const one = await sessions()
      const report = await one.sweep()
      assertEqual(report.failed, [], 'what a sweep could not do')
      for (const { id } of await collect(one.list())) {
        const path = id === 's' ? ['a', 'b', 'c'] : ['a', 'b']
        assertEqual(await pathOf(await one.open(id)), path, `the path of ${id} after a sweep`)
      }
    },
  },
  {
    id: 'tree:19',
    group: 'tree',
    title:
      'what is appended to a fork or to its source, also at once, never appears in the other, nor in a fork of the fork',
    async run({ sessions }) {
      const source = await (await sessions()).create('s')
      await say(source, 'a', 'b')
      const fork = await source.fork({ id: 'f', at: 'a' })
      const handles = [source, fork, await fork.fork({ id: 'g' })]
      await Promise.all(
        handles.map(async (session, i) => {
          await say(session, `1 of ${i}`, `same id`)
          await session.append([user(`2 of ${i}`), user(`3 of ${i}`)], { id: [`2 of ${i}`, `3 of ${i}`] })
        }),
      )
      await source.moveTo('a')
      await source.append(user('late'), { id: 'late' })
      const one = await sessions()
      const own = (i: number) => [`1 of ${i}`, 'same id', `2 of ${i}`, `3 of ${i}`]
      assertEqual(await entriesOf(await one.open('s')), ['a', 'b', ...own(0), 'late'], 'the entries of the source')
      assertEqual(await pathOf(await one.open('f')), ['a', ...own(1)], 'the path of the fork')
      assertEqual(await pathOf(await one.open('g')), ['a', ...own(2)], 'the path of the fork of the fork')
      await assertCode(
        (await one.open('f')).append(user('x'), { parent: 'b' }),
        'INVALID_PARENT',
        'a parent behind the cut',
      )
      for (const id of ['s', 'f', 'g']) assert((await (await one.open(id)).verify()).ok, `session ${id} verifies`)
    },
  },
  {
    id: 'tree:24',
    group: 'tree',
    title: 'a fork of a compacted path has the same context, and so has a fork of the fork',
    async run({ sessions }) {
      const { source, fork, second } = await forkCompacted(await sessions())
      const context = await source.context()
      assertEqual(context.messages.length, 4, 'the number of messages: checkpoint, call, result, answer')
      await say(source, 'later')
      for (const handle of [fork, second, await (await sessions()).open('f'), await (await sessions()).open('g')]) {
        const { messages, segments } = await handle.context()
        assertEqual([messages, segments], [context.messages, context.segments], `the context of ${handle.id}`)
      }
      await say(second, 'next')
      assertEqual((await second.context()).messages, [...context.messages, user('next')], 'the context that goes on')
    },
  },
  {
    id: 'tree:24/deleted',
    group: 'tree',
    title: 'a fork has the same context and the same path when its source was deleted, and then the fork between',
    async run({ sessions }) {
      const one = await sessions()
      const { source, fork, second } = await forkCompacted(one)
      const { messages } = await source.context()
      const stale = await (await sessions({ clock: asleep() })).open('g')
      await stale.leaf()
      await one.delete('s')
      await (await stale.beginTurn({ from: 'u2' })).abort()
      await stale.moveTo('end')
      for (const handle of [fork, second, await (await sessions()).open('f'), await (await sessions()).open('g')]) {
        assertEqual((await handle.context()).messages, messages, `the context of ${handle.id}`)
        assert((await handle.verify()).ok, `${handle.id} verifies`)
      }
      await one.delete('f')
      const last = await (await sessions()).open('g')
      assertEqual((await last.context()).messages, messages, 'the context when the fork is deleted too')
      assertEqual(await pathOf(last, { leaf: 'u2' }), ['u1', 'u2'], 'the path before the compaction')
      await second.leaf()
      await say(second, 'next')
      assertEqual((await last.context()).messages, [...messages, user('next')], 'the context that goes on')
      await one.delete('g')
      await assertCode(stale.append(user('late')), 'DELETED', 'an append to the fork when it is deleted itself')
    },
  },
]

/** A session with a compaction, a fork of it, and a fork of that. */
async function forkCompacted(one: Sessions<RoleMessage>): Promise<Record<'source' | 'fork' | 'second', Conversation>> {
  const source = await one.create('s')
  await say(source, 'u1', 'u2')
  await source.append([user('look'), calls(['1', 'look']), result('1')], { id: ['q', 'c', 'r'] })
  const keptUsers = [{ entryId: 'u1', text: 'u1' }]
  await source.record({ type: 'compaction', summary: 'sum', firstKeptEntryId: 'c', keptUsers, generation: 3 })
  await source.append(assistant('answer'), { id: 'end' })
  const fork = await source.fork({ id: 'f' })
  return { source, fork, second: await fork.fork({ id: 'g' }) }
}
