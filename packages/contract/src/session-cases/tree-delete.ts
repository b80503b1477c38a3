import { assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { asleep, EXPIRED } from './asleep.ts'
import { entriesOf, say, user } from './conversation.ts'

/** Line 15 of the session tree. */
export const deleteLines: readonly SessionCase[] = [
  {
    id: 'tree:15',
    group: 'tree',
    title:
      'a delete takes entries, metadata and lease; the id is DELETED from then on, and nothing of it comes back, whatever old handles do',
    async run({ open, sessions }) {
      const one = await sessions({ clock: asleep() })
      const session = await one.create('s', { title: 'secret', metadata: { secret: true } })
      await say(session, 'secret')
      const turn = await session.beginTurn({ turnId: 'secret turn' })
      await assertCode(one.delete('s'), 'ACTIVE_TURN', 'a delete while a turn lives')
      assertEqual((await session.activeTurn())?.turnId, 'secret turn', 'the turn')
      await one.delete('s', { force: true })
      await one.delete('s')
      await assertCode(one.delete('nobody'), 'NOT_FOUND', 'a delete of what never was')
      const two = await sessions({ clock: asleep(EXPIRED) })
      for (const attempt of [
        () => two.open('s'),
        () => two.create('s'),
        () => two.getOrCreate('s'),
        () => turn.append(user('late')),
        () => turn.complete(),
        () => session.append(user('late')),
        () => session.beginTurn(),
        () => session.update({ title: 'late' }),
        () => session.fork({ id: 'fork' }),
      ]) {
        await assertCode(attempt(), 'DELETED', String(attempt))
      }
      const source = await two.create('other')
      await assertCode(source.fork({ id: 's' }), 'DELETED', 'a fork under the id')
      assertEqual(await entriesOf(source), [], 'another session')
      const adapter = await open()
      const { value = '' } = { ...(await adapter.get('session/s')) }
      assertEqual(value.includes('secret'), false, 'whether the document still says anything')
      assertEqual(
        (await collect(adapter.logs('session/s'))).flat().includes('session/s/1'),
        false,
        'whether a log came back',
      )
      assertEqual(await collect(adapter.read('session/s/0')), [], 'what the log holds')
      assertEqual(
        (await collect(two.list({ archived: true }))).map(({ id }) => id),
        ['other'],
        'the list',
      )
    },
  },
]
