import { assertEqual } from '../assert.ts'
import { inGroups } from '../in-groups.ts'
import { collect } from '../reading.ts'
import { assertTypeError } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { idsOf, say } from './conversation.ts'

/** Lines 13 and 14 of the session tree: lists, and changes of what they show. */
export const listLines: readonly SessionCase[] = [
  {
    id: 'tree:13',
    group: 'tree',
    title:
      'a list goes from the newest session to the oldest, equal times by id; no update reorders it, and pages follow one another',
    async run({ sessions }) {
      const one = await sessions()
      const days = { b: 2, a: 2, c: 2, old: 1, new: 3 }
      await inGroups(Object.entries(days), ([id, day]) => one.create(id, { createdAt: `2024-01-0${day}T00:00:00Z` }))
      const order = ['new', 'a', 'b', 'c', 'old']
      const old = await one.open('old')
      await old.update({ title: 'updated' })
      await say(old, 'appended')
      const two = await sessions()
      const whole = await collect(two.list())
      assertEqual(idsOf(whole), order, 'the list')
      const pages = []
      for (let after: string | undefined, done = false; !done;) {
        const page = await collect(two.list({ limit: 2, after }))
        after = page.at(-1)?.cursor
        done = page.length < 2
        pages.push(idsOf(page))
      }
      assertEqual(pages, [['new', 'a'], ['b', 'c'], ['old']], 'its pages')
      assertEqual(await collect(two.list({ limit: 0 })), [], 'a page of none')
      await one.delete('b')
      const behind = await collect(two.list({ after: whole[2]?.cursor }))
      assertEqual(idsOf(behind), ['c', 'old'], 'what is behind a session that was deleted')
      await assertTypeError(() => collect(two.list({ after: 'not / a cursor' })), 'what is no cursor')
    },
  },
  {
    id: 'tree:14',
    group: 'tree',
    title: 'a change of the title, beside one of another field, loses neither, and leaves the order of the list',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await sessions()
      const mine = await one.create('s', { createdAt: '2024-01-01', metadata: { kept: 0 } })
      await one.create('newer', { createdAt: '2024-01-02' })
      const other = await (await sessions()).open('s')
      await Promise.all([mine.update({ title: 'title' }), other.update({ metadata: { other: 1 } })])
      await mine.update({ title: 'another' })
      const [newer, s] = await collect((await sessions()).list())
      assertEqual([newer?.id, s?.id], ['newer', 's'], 'the list')
      assertEqual([s?.title, s?.metadata], ['another', { kept: 0, other: 1 }], 'title and metadata')
      assertEqual(s?.createdAt, '2024-01-01T00:00:00.000Z', 'the time')
    },
  },
]
