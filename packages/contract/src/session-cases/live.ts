import { assert, assertEqual } from '../assert.ts'
import type { SessionCase } from '../session-case.ts'
import { assistant, entriesOf, pathOf, say, user, type Conversation } from './conversation.ts'

/** The ids of a stream that goes on, up to one. */
async function upTo(last: string, entries: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const taken: string[] = []
  for await (const { id } of entries) if (taken.push(id) && id === last) break
  return taken
}

/** What programs keep beside a conversation, and how they keep up with it. */
export const liveCases: readonly SessionCase[] = [
  {
    id: 'session/label',
    group: 'session',
    title: 'a label names an entry, also on a branch that was left, and moves neither the leaf nor what follows',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await say(session, 'a', 'b')
      await session.append(user('c'), { id: 'c', parent: 'a' })
      await session.label('b', 'remember')
      await session.label('a', 'wrong')
      await session.label('a', null)
      await say(session, 'd')
      const again = await (await sessions()).open('s')
      assertEqual(await pathOf(again), ['a', 'c', 'd'], 'the path')
      assertEqual((await again.context()).messages, [user('a'), user('c'), user('d')], 'the messages')
      const { nodes } = await again.tree()
      assertEqual(
        nodes.flatMap(({ id, label }) => (label === undefined ? [] : [[id, label]])),
        [['b', 'remember']],
        'the labels',
      )
    },
  },
  {
    id: 'session/save',
    group: 'session',
    title:
      'saving a whole conversation appends what is new, branches where it differs, and writes nothing when it is there already',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s')
      const said = [user('1'), assistant('2'), user('3')]
      await session.save(said.slice(0, 2))
      const { appended, kept } = await session.save(said)
      assertEqual([appended.length, kept], [1, 2], 'what was appended and kept')
      for (const handle of [session, await (await sessions()).open('s')]) {
        assertEqual((await handle.save(said)).appended, [], 'what an equal one appends')
      }
      assertEqual((await entriesOf(session)).length, 3, 'the number of entries')
      const other = [user('1'), assistant('another 2')]
      const branched = await session.save(other)
      assert(branched.branchedFrom !== undefined, 'it branches')
      const again = await (await sessions()).open('s')
      assertEqual((await again.context()).messages, other, 'the messages')
      assertEqual((await entriesOf(again)).length, 4, 'the number of entries after the branch')
    },
  },
  {
    id: 'session/follow',
    group: 'session',
    title:
      'whoever follows gets each entry of every branch once, in order, also when it goes on behind the last one that it had',
    async run({ sessions }) {
      const writer = await (await sessions()).create('s')
      await say(writer, 'a', 'b')
      const reader: Conversation = await (await sessions()).open('s')
      const following = upTo('f', reader.follow({ after: null }))
      await say(writer, 'c')
      await writer.append([user('d'), user('e')], { id: ['d', 'e'], parent: 'a' })
      await say(writer, 'f')
      assertEqual(await following, ['a', 'b', 'c', 'd', 'e', 'f'], 'what it was given')
      const again = await (await sessions()).open('s')
      assertEqual(await upTo('f', again.follow({ after: 'c' })), ['d', 'e', 'f'], 'what another one is given behind c')
    },
  },
]
