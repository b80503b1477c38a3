import type { Entry } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase, SessionContext } from '../session-case.ts'
import { entriesOf, idsOf, pathOf, say, user, type Conversation } from './conversation.ts'

/** A path that goes on behind this many entries never ends. */
const ENDLESS = 20

/** Lines 9 to 12 of the session tree: paths and moves of the leaf. */
export const pathLines: readonly SessionCase[] = [
  {
    id: 'tree:9',
    group: 'tree',
    title:
      'entries() has every branch in the order of appending, path() only what leads to its end; old branches stay readable',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      const [, , , c] = await say(session, 'a', 'b', 'x', 'c')
      await session.append(user('d'), { id: 'd', parent: 'a' })
      await session.append(user('e'), { id: 'e', parent: 'b' })
      for (const handle of [session, await (await sessions()).open('s')]) {
        assertEqual(await entriesOf(handle), ['a', 'b', 'x', 'c', 'd', 'e'], 'the entries')
        assertEqual(await pathOf(handle), ['a', 'b', 'e'], 'the path')
        assertEqual(await pathOf(handle, { leaf: c }), ['a', 'b', 'x', 'c'], 'the path of the old branch')
        assertEqual(await pathOf(handle, { leaf: 'd' }), ['a', 'd'], 'the path of the other one')
        assertEqual(await pathOf(handle, { leaf: 'c', last: 2 }), ['x', 'c'], 'the end of a path')
      }
    },
  },
  {
    id: 'tree:10',
    group: 'tree',
    title:
      'the path of an unknown leaf and a session that is not there are NOT_FOUND; a broken or cyclic chain is CORRUPT, never endless',
    async run(context) {
      const one = await context.sessions()
      const session = await one.create('s')
      const [sample] = await say(session, 'a')
      await assertCode(collect(session.path({ leaf: 'nobody' })), 'NOT_FOUND', 'the path of an unknown leaf')
      await assertCode(session.entry('nobody'), 'NOT_FOUND', 'an unknown entry')
      await assertCode(one.open('nobody'), 'NOT_FOUND', 'an unknown session')
      const chains: readonly (readonly [what: string, parents: readonly string[]])[] = [
        ['broken', ['nobody', 'x0', 'x1']],
        ['cyclic', ['x2', 'x0', 'x1']],
        ['cyclic-in-itself', ['x0', 'x0', 'x1']],
      ]
      for (const [what, parents] of chains) {
        const forged = await forge(context, what, sample, parents)
        await assertCode(upTo(ENDLESS, forged.path()), 'CORRUPT', `the path of a chain that is ${what}`)
        await assertCode(forged.context(), 'CORRUPT', `the context of a chain that is ${what}`)
        assertEqual(await entriesOf(forged), ['x0', 'x1', 'x2'], `the entries of a chain that is ${what}`)
      }
    },
  },
  {
    id: 'tree:11',
    group: 'tree',
    title:
      'a move of the leaf, to an ancestor, to another branch or before the first entry, is still there after a reopen',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s')
      const [a] = await say(session, 'a', 'b', 'c')
      await session.append(user('d'), { id: 'd', parent: 'a' })
      for (const target of ['b', 'c', null, a ?? null, 'd']) {
        await session.moveTo(target)
        const id = typeof target === 'string' ? target : target?.id
        const again = await (await sessions()).open('s')
        assertEqual([(await session.leaf())?.id, (await again.leaf())?.id], [id, id], 'the leaf, also after a reopen')
        assertEqual((await pathOf(again)).at(-1), id, 'the end of the path')
      }
      await assertCode(session.moveTo('nobody'), 'NOT_FOUND', 'a move to an unknown entry')
      const after = await (await sessions()).open('s')
      assertEqual([(await after.leaf())?.id, await entriesOf(after)], ['d', ['a', 'b', 'c', 'd']], 'leaf and entries')
    },
  },
  {
    id: 'tree:12',
    group: 'tree',
    title: 'after a move appends branch off there, and no entry is lost',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await say(session, 'a', 'b', 'c')
      await session.moveTo('a')
      await say(session, 'd')
      await session.moveTo(null)
      const [root] = await say(session, 'e')
      assertEqual(root?.parentId, null, 'the parent of what follows a move before the first entry')
      const again = await (await sessions()).open('s')
      await again.moveTo('c')
      await say(again, 'f')
      assertEqual(await pathOf(again), ['a', 'b', 'c', 'f'], 'the path')
      assertEqual(await pathOf(again, { leaf: 'd' }), ['a', 'd'], 'the path of another branch')
      assertEqual(await pathOf(again, { leaf: 'e' }), ['e'], 'the path of another root')
      assertEqual(await entriesOf(again), ['a', 'b', 'c', 'd', 'e', 'f'], 'the entries')
      assert((await again.verify()).ok, 'the session verifies')
    },
  },
]

/** A session whose log says that its entries x0, x1, … have these parents: what no writer of ours ever stores. */
async function forge(
  { open, sessions }: SessionContext,
  id: string,
  sample: Entry | undefined,
  parents: readonly string[],
): Promise<Conversation> {
  const session = await (await sessions()).create(id)
  const texts = parents.map((parentId, i) => JSON.stringify({ ...sample, position: undefined, id: `x${i}`, parentId }))
  await (await open()).append(`session/${id}/0`, 0, texts)
  return session
}

async function upTo<Item extends { readonly id: string }>(most: number, items: AsyncIterable<Item>): Promise<string[]> {
  const taken: Item[] = []
  for await (const item of items) if (taken.push(item) === most) break
  return idsOf(taken)
}
