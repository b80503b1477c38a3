import { SessionError, type RoleMessage, type Session } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { gating } from '../gating.ts'
import { collect } from '../reading.ts'
import { assertCode, outcomeOf } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { entriesOf, idsOf, pathOf, say, user } from './conversation.ts'

/** Lines 29 to 31 of the session tree: crashes and damage. */
export const recoveryLines: readonly SessionCase[] = [
  {
    id: 'tree:29',
    group: 'tree',
    title:
      'a writer that dies at any moment leaves the leaf before its call or behind it, as it was meant; no reopen moves it',
    async run({ open, sessions }) {
      const before = await (await sessions()).create('s')
      await say(before, 'a', 'b', 'c')
      let leaf: string | undefined = 'c'
      const writes: readonly (readonly [string, string, (session: Session<RoleMessage>) => Promise<unknown>])[] = [
        ['a move', 'a', (session) => session.moveTo('a')],
        ['an append', 'd', (session) => session.append(user('d'), { id: 'd' })],
      ]
      for (const [what, after, write] of writes) {
        for (const moment of ['before', 'after'] as const) {
          const gate = gating(await open())
          const dying = await (await sessions({}, gate.adapter)).open('s')
          await dying.leaf()
          const held = gate.park('append', moment)
          const writing = outcomeOf(write(dying))
          await held.parked
          if (moment === 'after') leaf = after
          const reopened = await (await sessions()).open('s')
          assertEqual((await reopened.leaf())?.id, leaf, `the leaf when the writer died ${moment} ${what}`)
          if (moment === 'before') held.refuse(new SessionError('IO', 'The process is dead.'))
          else await held.dropResponse()
          const ended = await writing
          if (moment === 'after' && !ended.ok) {
            assert(SessionError.is(ended.error) && ended.error.written !== 'no', `${what} that is stored is not denied`)
          }
          assertEqual((await (await (await sessions()).open('s')).leaf())?.id, leaf, `the leaf after ${what}`)
        }
      }
      assertEqual(await entriesOf(await (await sessions()).open('s')), ['a', 'b', 'c', 'd'], 'the entries')
    },
  },
  {
    id: 'tree:30',
    group: 'tree',
    title:
      'a leaf that cannot be read fails the path and moves nothing; a repair goes on with the newest entry that can be',
    needs: ['damage'],
    async run({ damage, sessions }) {
      for (const [id, leaf, texts] of [
        ['s', 1, ['a', 'b', 'c']],
        ['lone', 0, ['a']],
      ] as const) {
        const one = await sessions()
        const session = await one.create(id)
        await say(session, ...texts)
        // Behind it there are records that can be read: its place is not the end of the log.
        await session.moveTo(null)
        await session.moveTo(texts[leaf] ?? null)
        // What is in the memory of whoever wrote it is not damaged.
        await one.close()
        const lost = await damage(`session/${id}/0`, leaf)
        const opened = await (await sessions()).open(id)
        await assertCode(collect(opened.path()), 'CORRUPT', `the path of ${id}`)
        await assertCode(opened.leaf(), 'CORRUPT', `the leaf of ${id}`)
        await opened.repair()
        await say(await (await sessions()).open(id), 'next')
        const again = await (await sessions()).open(id)
        const path = (await collect(again.path())).filter(({ type }: { readonly type: string }) => type !== 'lost')
        const left = texts.filter((_, at) => at < leaf && !lost.includes(at))
        assertEqual(idsOf(path), [...left, 'next'], `the path of ${id} after a repair and an append`)
      }
    },
  },
  {
    id: 'tree:31',
    group: 'tree',
    title: 'damage inside is reported with its place; other sessions go on, and the id is taken all the same',
    needs: ['damage'],
    async run({ damage, sessions }) {
      const one = await sessions()
      await say(await one.create('s'), 'a', 'b', 'c')
      await say(await one.create('other'), 'kept')
      await damage('session/s/0', 1)
      const two = await sessions()
      const damaged = await two.open('s')
      const { at, log } = await assertCode(collect(damaged.entries()), 'CORRUPT', 'reading through the damage')
      assertEqual([log, at], ['session/s/0', 1], 'where it is')
      const { ok, problems } = await damaged.verify()
      assertEqual([ok, problems.map((problem) => problem.at)], [false, [1]], 'what verify finds')
      await assertCode(two.create('s'), 'EXISTS', 'create')
      assertEqual(await pathOf(await two.open('other')), ['kept'], 'the other session')
      assertEqual((await collect(two.list())).length, 2, 'the number of sessions in the list')
    },
  },
  {
    id: 'tree:31/torn',
    group: 'tree',
    title: 'what a crash tears at the end costs nothing before it, and the next append is clean',
    needs: ['crash'],
    async run({ crash, sessions }) {
      await say(await (await sessions()).create('s'), 'a', 'b')
      const dying = await (await sessions()).open('s')
      await dying.leaf()
      const torn = dying.append(user('x'.repeat(100_000)), { id: 'torn' }).catch(() => {})
      await crash()
      void torn
      const again = await (await sessions()).open('s')
      const path = await pathOf(again)
      assertEqual(path.slice(0, 2), ['a', 'b'], 'the entries before')
      await say(again, 'next')
      const after = await (await sessions()).open('s')
      assertEqual(await pathOf(after), [...path, 'next'], 'the path after the next append')
      assert((await after.verify()).ok, 'the session verifies')
    },
  },
]
