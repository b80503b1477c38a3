import { assert, assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'

const user = (content: string) => ({ role: 'user', content })

/** Damaged sessions. */
export const damageCases: readonly SessionCase[] = [
  {
    id: 'session/repair',
    group: 'session',
    title:
      'damage is located, hides nothing else and lets nobody create the session anew; repair makes it whole as far as it goes',
    needs: ['damage'],
    async run({ damage, sessions }) {
      const before = await (await sessions()).create('s')
      const stored = []
      for (let i = 0; i < 40; i++) stored.push(await before.append(user(`message ${i}`)))
      await before.append(user('the end'))
      assert((await before.verify()).ok, 'the session verifies before')
      const lost = await damage('session/s/0', 20)
      const one = await sessions()
      await assertCode(one.create('s'), 'EXISTS', 'create of the damaged session')
      const session = await one.open('s')
      const found = await session.verify()
      assertEqual(
        [found.ok, found.problems[0]?.kind, found.problems[0]?.at],
        [false, 'missing', lost[0]],
        'what verify found',
      )
      await assertCode(collect(session.entries()), 'CORRUPT', 'reading through the damage')
      const tail = await collect(session.path({ last: 3 }))
      assertEqual(tail.at(-1)?.id, (await session.leaf())?.id, 'the end of the path')
      const repair = await session.repair()
      const repaired = repair.lost.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
      )
      assertEqual([repair.repaired, repaired], [true, lost], 'what the repair lost')
      for (const handle of [session, before, await (await sessions()).open('s')]) {
        const read = (await collect(handle.entries()))
          .filter(({ type }: { readonly type: string }) => type !== 'lost')
          .map(({ id }) => id)
        assertEqual(
          read.slice(0, 40 - lost.length),
          stored.filter((_, i) => !lost.includes(i)).map(({ id }) => id),
          'the entries',
        )
      }
      await session.append(user('next'))
      const after = await session.verify()
      assertEqual([after.ok, after.lost], [true, lost.length], 'what verify finds after the repair')
    },
  },
  {
    id: 'session/damaged-document',
    group: 'session',
    title: 'a session whose document is damaged is listed with its problem, refused, and never created anew',
    needs: ['damageDocument'],
    async run({ damageDocument, sessions }) {
      const before = await sessions()
      await (await before.create('s')).append(user('kept'))
      await before.create('t')
      await damageDocument('session/s')
      const one = await sessions()
      await assertCode(one.open('s'), 'CORRUPT', 'open')
      await assertCode(one.create('s'), 'CORRUPT', 'create')
      await assertCode(one.getOrCreate('s'), 'CORRUPT', 'getOrCreate')
      await one.open('t')
    },
  },
]
