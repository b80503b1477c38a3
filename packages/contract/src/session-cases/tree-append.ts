import { contentHash } from '@sessiontree/core'
import { assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode, assertTypeError } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { entriesOf, idsOf, pathOf, say, user } from './conversation.ts'

/** Lines 1 to 8 of the session tree: creating and appending. */
export const appendLines: readonly SessionCase[] = [
  {
    id: 'tree:1',
    group: 'tree',
    title:
      'create without an id makes one that nobody has; with a used id it is EXISTS, and what is there stays as it is',
    async run({ sessions }) {
      const one = await sessions()
      const two = await sessions()
      const made = await Promise.all([one.create(), one.create(), two.create(), two.create()])
      assertEqual(new Set(idsOf(made)).size, 4, 'the number of different ids')
      await say(await one.create('s', { title: 'first' }), 'kept')
      await assertCode(one.create('s', { title: 'second' }), 'EXISTS', 'create with a used id')
      const again = await (await sessions()).open('s')
      assertEqual([again.title, await pathOf(again)], ['first', ['kept']], 'what was there')
    },
  },
  {
    id: 'tree:2',
    group: 'tree',
    title: 'a new session has no leaf, an empty path and an empty context; it was updated when it was created',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s')
      for (const handle of [session, await (await sessions()).open('s')]) {
        assertEqual(await handle.leaf(), undefined, 'the leaf')
        assertEqual(await collect(handle.path()), [], 'the path')
        const { messages, segments, complete } = await handle.context()
        assertEqual([messages, segments, complete], [[], [], true], 'the context')
      }
      const [info] = await collect(one.list())
      assertEqual(
        [info?.createdAt, info?.updatedAt, info?.status],
        [session.createdAt, session.createdAt, 'idle'],
        'the list',
      )
    },
  },
  {
    id: 'tree:3',
    group: 'tree',
    title:
      'an append without a parent follows the leaf and becomes it; its time, which may be given, is when the session was updated',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s', { createdAt: '2020-02-01' })
      const first = await session.append(user('1'), { createdAt: '2020-02-02T00:00:00Z' })
      const second = await session.append(user('2'), { createdAt: '2020-02-02T02:02:02.002Z' })
      assertEqual([first.parentId, second.parentId], [null, first.id], 'the parents')
      const again = await (await sessions()).open('s')
      assertEqual(await again.leaf(), second, 'the leaf')
      assertEqual(second.createdAt, '2020-02-02T02:02:02.002Z', 'its time')
      await again.touch()
      const [info] = await collect(one.list())
      assertEqual(info?.updatedAt, second.createdAt, 'when the session was updated')
    },
  },
  {
    id: 'tree:4',
    group: 'tree',
    title:
      'an explicit parent makes a branch, whose entry becomes the leaf; a parent named in the message counts for nothing',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await say(session, 'a', 'b', 'c')
      const branch = await session.append({ ...user('d'), parentId: 'b' }, { id: 'd', parent: 'a' })
      const root = await session.append(user('e'), { id: 'e', parent: null })
      assertEqual([branch.parentId, root.parentId], ['a', null], 'the parents')
      const again = await (await sessions()).open('s')
      assertEqual(await pathOf(again), ['e'], 'the path')
      assertEqual(await pathOf(again, { leaf: 'd' }), ['a', 'd'], 'the path of the branch')
      const [last] = await session.append([user('f'), user('g')], { id: ['f', 'g'], parent: branch })
      assertEqual(last?.parentId, 'd', 'the parent of a batch')
      assertEqual(await pathOf(again), ['a', 'd', 'f', 'g'], 'the path after the batch')
    },
  },
  {
    id: 'tree:5',
    group: 'tree',
    title: 'a parent that is not there, or the entry itself, is INVALID_PARENT; nothing is stored and the leaf stays',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('s')
      await say(await one.create('other'), 'stranger')
      await say(session, 'a', 'b')
      for (const parent of ['nobody', 'stranger', 'x']) {
        const appending = session.append(user('x'), { id: 'x', parent })
        await assertCode(appending, 'INVALID_PARENT', `an append behind ${parent}`)
      }
      const batch = session.append([user('x'), user('y')], { id: ['x', 'y'], parent: 'y' })
      await assertCode(batch, 'INVALID_PARENT', 'a batch behind its own end')
      for (const handle of [session, await (await sessions()).open('s')]) {
        assertEqual([(await handle.leaf())?.id, await entriesOf(handle)], ['b', ['a', 'b']], 'leaf and entries')
      }
    },
  },
  {
    id: 'tree:6',
    group: 'tree',
    title:
      'an id with other content is DUPLICATE, with the same content it is the stored entry; made ids never come twice',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      const a = await session.append({ ...user('a'), id: 'of the message' }, { id: 'a' })
      assertEqual(a.id, 'a', 'the id given beside the message')
      await say(session, 'b')
      await assertCode(session.append(user('other'), { id: 'a' }), 'DUPLICATE', 'other content')
      const again = await session.append({ ...user('a'), id: 'of the message' }, { id: 'a' })
      assertEqual(again, a, 'the same content')
      assertEqual([(await session.leaf())?.id, await entriesOf(session)], ['b', ['a', 'b']], 'leaf and entries')
      const made = new Set<string>()
      for (let life = 0; life < 3; life++) {
        const reopened = await (await sessions()).open('s')
        for (const { id } of await reopened.append([user('c'), user('c')])) made.add(id)
      }
      assertEqual(made.size, 6, 'the number of different ids')
    },
  },
  {
    id: 'tree:7',
    group: 'tree',
    title:
      'every entry has the SHA-256 of its content; it depends on nothing else: not on session, id, parent, turn or time',
    async run({ sessions }) {
      const one = await sessions()
      const content = { type: 'user_message', message: user('x') }
      const entries = []
      for (const id of ['s', 't']) {
        const session = await one.create(id)
        entries.push(await session.append(user('x'), { createdAt: '2001-01-01T00:00:00Z' }))
        entries.push(await session.append(user('x'), { id: 'given' }))
        entries.push(await session.record({ type: 'user_message', message: user('x') }, { parent: null }))
      }
      for (const { hash } of entries) assertEqual(hash, contentHash(content), 'the hash')
      const stored = await collect((await (await sessions()).open('t')).entries())
      assertEqual(stored, entries.slice(3), 'the entries as they are stored')
      const others = [
        { type: 'user_message', message: user('y') },
        { type: 'user_message', message: { ...user('x'), name: 'n' } },
        { type: 'user_message', message: user('x'), metadata: {} },
        { type: 'custom', name: 'x' },
      ]
      const hashes = (await (await one.open('s')).record(others)).map(({ hash }) => hash)
      assertEqual(hashes, others.map(contentHash), 'the hashes of other contents')
      assertEqual(new Set([contentHash(content), ...hashes]).size, 5, 'the number of different hashes')
    },
  },
  {
    id: 'tree:8',
    group: 'tree',
    title: 'what a caller does to its objects later, or to those that it got, changes nothing that is stored',
    async run({ sessions }) {
      const metadata = { list: ['kept'] }
      const creating = (await sessions()).create('s', { metadata })
      metadata.list[0] = 'changed'
      const session = await creating
      const message = { role: 'user', content: [{ type: 'text', text: 'kept' }] }
      const ids = ['a', 'b']
      const batch: [typeof message, ReturnType<typeof user>] = [message, user('kept')]
      const appending = session.append(batch, { id: ids })
      const text = message.content[0] as { text: string }
      text.text = 'changed'
      message.role = 'assistant'
      ids[0] = 'changed'
      batch[1] = user('changed')
      const returned = await appending
      const kept = JSON.stringify(returned)
      text.text = 'changed again'
      scribble(returned)
      scribble(await session.leaf())
      scribble(await collect(session.entries()))
      scribble((await session.context()).messages)
      for (const handle of [session, await (await sessions()).open('s')]) {
        assertEqual(JSON.stringify(await collect(handle.entries())), kept, 'the entries')
        const { messages } = await handle.context()
        assertEqual(
          messages,
          [{ role: 'user', content: [{ type: 'text', text: 'kept' }] }, user('kept')],
          'the messages',
        )
        assertEqual(handle.metadata, { list: ['kept'] }, 'the metadata')
      }
      assertEqual(await entriesOf(session), ['a', 'b'], 'the ids that were given')
      await assertTypeError(() => session.append([user('x')], { id: ['a', 'b'] }), 'more ids than messages')
    },
  },
]

/** Writes into everything that can be written to. */
function scribble(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === 'string') Reflect.set(value, key, 'scribbled')
    else scribble(member)
  }
}
