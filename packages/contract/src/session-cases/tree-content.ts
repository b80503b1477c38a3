import { assert, assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode, outcomeOf } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { entriesOf, pathOf, say, user } from './conversation.ts'

/** Lines 32 and 33 of the session tree: large entries, and many at once. */
export const contentLines: readonly SessionCase[] = [
  {
    id: 'tree:32',
    group: 'tree',
    title:
      'entries of 200 KB and of megabytes survive a reopen; ids that a place may confuse stay apart, also in white space',
    async run({ sessions }) {
      const one = await sessions()
      const session = await one.create('large')
      const large = ['é'.repeat(100_000), 'x'.repeat(2_000_000)]
      for (const text of large) await session.append(user(text))
      await say(session, 'end')
      const two = await sessions()
      const { messages } = await (await two.open('large')).context()
      const lengths = messages.map(({ content }) => (content === 'end' ? 'end' : large.indexOf(String(content))))
      assertEqual(lengths, [0, 1, 'end'], 'the large entries')
    },
  },
  {
    id: 'tree:33',
    group: 'tree',
    title: 'appends at once through one handle and through two are stored, each once, or say CONFLICT',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions()).create('s')
      const many = await Promise.all(Array.from({ length: 24 }, () => one.append(user('one'))))
      const two = await (await sessions()).open('s')
      await two.leaf()
      const handles = [one, two]
      const attempts = await Promise.all(
        Array.from({ length: 24 }, (_, i) => {
          const session = handles[i % 2] ?? one
          return outcomeOf(session.append(user('both'), i % 4 < 2 ? {} : { onConflict: 'rebase' }))
        }),
      )
      const stored = attempts.flatMap((attempt) => (attempt.ok ? [attempt.value.id] : []))
      const refused = attempts.flatMap((attempt) => (attempt.ok ? [] : [attempt.error]))
      for (const error of refused) await assertCode(Promise.reject(error), 'CONFLICT', 'an append that was refused')
      const again = await (await sessions()).open('s')
      const entries = await collect(again.entries())
      const acknowledged = [...many.map(({ id }) => id), ...stored]
      assertEqual(entries.map(({ id }) => id).toSorted(), acknowledged.toSorted(), 'the entries')
      assertEqual(await pathOf(again), await entriesOf(again), 'the path: one chain of all')
      assert((await again.verify()).ok, 'the session verifies')
    },
  },
]
