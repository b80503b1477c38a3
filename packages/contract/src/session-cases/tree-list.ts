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
      'a list goes from the newest session to the oldest, equal times by id; no update reorders it; archived ones only on request',
    async run({ sessions }) {
      const one = await sessions()
      const days = { b: 2, a: 2, c: 2, old: 1, new: 3, archived: 2 }
      await inGroups(Object.entries(days), ([id, day]) => one.create(id, { createdAt: `2024-01-0${day}T00:00:00Z` }))
      const order = ['new', 'a', 'b', 'c', 'old']
      const old = await one.open('old')
      await old.update({ title: 'updated' })
      await say(old, 'appended')
      await (await one.open('archived')).update({ archived: true })
      const two = await sessions()
      const whole = await collect(two.list())
      assertEqual(idsOf(whole), order, 'the list')
      const all = idsOf(await collect(two.list({ archived: true })))
      assertEqual(all, order.toSpliced(2, 0, 'archived'), 'the list with archived ones')
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
    title:
      'a title, given or made, leaves the order of the list and the time of the last update, and takes no change beside it away',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await sessions()
      const mine = await one.create('s', { createdAt: '2024-01-01', metadata: { kept: 0 } })
      await one.create('newer', { createdAt: '2024-01-02' })
      await say(mine, 'hello')
      // As a turn leaves it: before that nobody makes a title.
      await mine.record({ type: 'turn_marker', status: 'completed' })
      const other = await (await sessions()).open('s')
      const made = await mine.generateTitle(async () => {
        await other.update({ metadata: { first: 1 }, labels: { add: ['label'] } })
        return 'Made'
      })
      assertEqual([made, mine.title], ['Made', 'Made'], 'the title that was made')
      await Promise.all([mine.update({ title: 'title' }), other.update({ metadata: { second: 2 } })])
      await mine.update({ title: 'another' })
      const [newer, s] = await collect((await sessions()).list())
      assertEqual([newer?.id, s?.id], ['newer', 's'], 'the list')
      assertEqual([s?.title, s?.metadata], ['another', { kept: 0, first: 1, second: 2 }], 'title and metadata')
      assertEqual([s?.labels, s?.updatedAt], [['label'], '2024-01-01T00:00:00.000Z'], 'labels and time')
    },
  },
]
