import { SessionError, type Entry, type RoleMessage, type Sessions } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'

const user = (content: string) => ({ role: 'user', content })

function isChain(entries: readonly Entry[]): boolean {
  return entries.every(({ parentId }, i) => parentId === (entries[i - 1]?.id ?? null))
}

/** One session through several handles, and through a store whose answers get lost. */
export const handleCases: readonly SessionCase[] = [
  {
    id: 'session/together',
    group: 'session',
    title: '64 appends at once on one handle are at most two appends to the store: in call order, one chain',
    async run({ open, sessions }) {
      const { adapter, counts, reset } = counting(await open())
      const session = await (await sessions({}, adapter)).create('s')
      await session.append(user('before'))
      reset()
      const stored = await Promise.all(Array.from({ length: 64 }, (_, i) => session.append(user(String(i)))))
      assert(counts.append.calls <= 2, `at most two appends, not ${counts.append.calls}`)
      const read = await collect((await (await sessions()).open('s')).entries())
      assertEqual(read.slice(1), stored, 'the entries, in call order')
      assert(isChain(read), 'each entry follows the one before it')
    },
  },
  {
    id: 'session/two-handles',
    group: 'session',
    title: 'a handle that missed something is told what; rebase goes behind it; nothing is lost or doubled',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions()).create('s')
      await one.append(user('base'))
      const two = await (await sessions()).open('s')
      await two.context()
      const foreign = await one.append(user('first'))
      const error = await assertCode(two.append(user('rejected')), 'CONFLICT', 'an append on a stale handle')
      assertEqual(
        error.entries.map(({ id }) => id),
        [foreign.id],
        'the missed entries',
      )
      await one.append(user('second'))
      await two.append(user('third'), { onConflict: 'rebase' })
      const { messages } = await one.context()
      assertEqual(
        messages.map(({ content }) => content),
        ['base', 'first', 'second', 'third'],
        'the messages',
      )
    },
  },
  {
    id: 'session/stored-elsewhere',
    group: 'session',
    title:
      'an id that another handle has stored is recognised by one that has missed it: with the same content it is the stored entry, with other content DUPLICATE, and never a CONFLICT',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions()).create('s')
      await one.append(user('base'))
      const two = await (await sessions()).open('s')
      await two.leaf()
      // It knows of this one, but has not shown where the leaf is now.
      const missed = await one.append(user('missed'))
      await two.entry(missed)
      const stored = await one.append(user('mine'), { id: 'mine' })
      assertEqual(await two.append(user('mine'), { id: 'mine' }), stored, 'the entry that is stored')
      const again = await (await sessions()).open('s')
      await again.leaf()
      const another = await one.append(user('missed too'))
      await again.entry(another)
      await one.append(user('his'), { id: 'his' })
      await assertCode(again.append(user('other'), { id: 'his' }), 'DUPLICATE', 'the id with other content')
      await one.append(user('first'), { id: 'first' })
      await again.entry('first')
      const second = await one.append(user('second'), { id: 'second' })
      const batch = await again.append([user('first'), user('second')], { id: ['first', 'second'] })
      assertEqual(batch[1], second, 'the end of a batch of which half was known')
      assertEqual((await collect(one.entries())).length, 7, 'the number of entries')
    },
  },
  {
    id: 'session/told-but-not-shown',
    group: 'session',
    title:
      'how a session stands shows nobody what was said: an append behind entries that its caller has not seen is a CONFLICT all the same',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions()).create('s')
      await one.append(user('base'))
      const two = await (await sessions()).open('s')
      await two.context()
      await one.append(user('unseen'))
      await two.status()
      await two.touch()
      await two.activeTurn()
      await two.recover()
      const { entries } = await assertCode(two.append(user('blind')), 'CONFLICT', 'an append behind what was not seen')
      assertEqual(entries.length, 1, 'the number of missed entries')
      await two.append(user('seen now'))
    },
  },
  {
    id: 'session/large-batch',
    group: 'session',
    title: '1,024 messages become visible together; one more is a TypeError that says so, and nothing is written',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      const messages = (count: number) => Array.from({ length: count }, (_, i) => user(String(i)))
      const saying = async (call: () => Promise<unknown>, what: string) => {
        const { message } = (await call().then(
          () => ({ message: 'it resolved' }),
          (error: unknown) => (error instanceof TypeError ? error : { message: String(error) }),
        )) as { readonly message: string }
        assert(
          /1025.*1024.*save/u.test(message),
          `${what} says how many there are, how many may be, and what to do: ${message}`,
        )
      }
      await saying(() => session.append(messages(1025)), 'append')
      await saying(() => session.record(messages(1025).map((message) => ({ type: 'user_message', message }))), 'record')
      const turn = await session.beginTurn()
      await saying(() => turn.append(messages(1025)), 'an append of a turn')
      await turn.complete()
      const before = await collect(session.entries())
      assertEqual(
        before.map(({ type }) => type),
        ['turn_marker', 'turn_marker'],
        'the entries',
      )
      const stored = await session.append(messages(1024))
      const again = await collect((await (await sessions()).open('s')).entries())
      assertEqual([stored.length, again.length], [1024, 1026], 'how many are stored of a batch that fits')
    },
  },
  {
    id: 'tree:33/racers',
    group: 'tree',
    title: 'four handles race with rebase: one chain, every acknowledged entry once, all others reported',
    needs: ['sharing'],
    async run({ sessions }) {
      await (await sessions()).create('s')
      const acknowledged: string[] = []
      await Promise.all(
        Array.from({ length: 4 }, async (_, writer) => {
          const session = await (await sessions()).open('s')
          for (let i = 0; i < 8; i++) {
            const { id } = await session.append(user(`${writer} ${i}`), { onConflict: 'rebase' })
            acknowledged.push(id)
          }
        }),
      )
      const session = await (await sessions()).open('s')
      const read = await collect(session.entries())
      assertEqual(read.map(({ id }) => id).toSorted(), acknowledged.toSorted(), 'the entries')
      assert(isChain(read), 'each entry follows the one before it')
      assert((await session.verify()).ok, 'the session verifies')
    },
  },
  {
    id: 'session/lost-answer',
    group: 'session',
    title: 'an append, a create, an update and a delete whose answer gets lost take effect once and are not guessed',
    async run({ openLosingNextAnswer, sessions }) {
      const losing = async (operation: 'append' | 'put') => sessions({}, await openLosingNextAnswer(operation))
      const create = (on: Sessions<RoleMessage>) => on.getOrCreate('s')
      await settled(await losing('put'), create, sessions)
      const append = async (on: Sessions<RoleMessage>) => (await on.open('s')).append(user('once'), { id: 'm' })
      await settled(await losing('append'), append, sessions)
      const update = async (on: Sessions<RoleMessage>) => (await on.open('s')).update({ title: 'patched' })
      await settled(await losing('put'), update, sessions)
      const read = await sessions()
      const again = await read.open('s')
      assertEqual([again.title, (await collect(again.entries())).length], ['patched', 1], 'title and entries')
      await settled(await losing('put'), (on) => on.delete('s'), sessions)
      const after = await sessions()
      await assertCode(after.open('s'), 'DELETED', 'open of the deleted session')
      assertEqual(await collect(after.list()), [], 'the list')
    },
  },
  {
    id: 'session/crash',
    group: 'session',
    title: 'after a crash every acknowledged entry is there, in order, with no gap, and the session goes on',
    needs: ['crash'],
    async run({ crash, sessions }) {
      const acknowledged: string[] = []
      for (let round = 0; round < 3; round++) {
        const session = await (await sessions()).getOrCreate('s')
        for (let i = 0; i < 5; i++) acknowledged.push((await session.append(user(`${round} ${i}`))).id)
        const attempts = [6, 7, 8].map((i) => session.append(user(`${round} ${i}`)).catch(() => {}))
        await crash()
        void Promise.allSettled(attempts)
        const after = await (await sessions()).open('s')
        const read = (await collect(after.entries())).map(({ id }) => id)
        assertEqual(
          read.filter((id) => acknowledged.includes(id)),
          acknowledged,
          'the acknowledged entries',
        )
        assert((await after.verify()).ok, 'the session verifies')
        acknowledged.splice(0, acknowledged.length, ...read)
      }
    },
  },
]

/** Makes a call; if its outcome is `UNCERTAIN`, makes it again on another handle: this one may be told no more. */
async function settled(
  losing: Sessions<RoleMessage>,
  call: (on: Sessions<RoleMessage>) => Promise<unknown>,
  sessions: () => Promise<Sessions<RoleMessage>>,
): Promise<void> {
  try {
    await call(losing)
  } catch (error) {
    if (!SessionError.is(error, 'UNCERTAIN')) throw error
    await call(await sessions())
  }
}
