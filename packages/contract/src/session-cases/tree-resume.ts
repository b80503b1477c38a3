import { contentField } from '@sessiontree/core'
import { assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { asleep, EXPIRED } from './asleep.ts'
import { assistant, calls, entriesOf, result, say, user, type Conversation } from './conversation.ts'

/** Lines 34 to 36 of the session tree: going on after a turn, however it ended. */
export const resumeLines: readonly SessionCase[] = [
  {
    id: 'tree:34',
    group: 'tree',
    title:
      'recover refuses while a turn lives, and writes nothing; of one that has expired it says which calls may have happened, and closes it once',
    needs: ['sharing'],
    async run({ sessions }) {
      const one = await (await sessions({ clock: asleep() })).create('s')
      const turn = await one.beginTurn({ turnId: 'cut off' })
      await turn.append([user('go'), calls(['1', 'look'], ['2', 'buy']), result('1')])
      const before = await entriesOf(one)
      const two = await (await sessions({ clock: asleep() })).open('s')
      const refused = await assertCode(two.recover(), 'ACTIVE_TURN', 'recover while the turn lives')
      assertEqual([refused.turnId, await entriesOf(two)], ['cut off', before], 'who holds it, and the entries')
      const late = await (await sessions({ clock: asleep(EXPIRED) })).open('s')
      for (let call = 0; call < 2; call++) {
        const { recovered } = await late.recover()
        assertEqual(
          recovered.map(({ turnId, unknownCalls }) => [turnId, unknownCalls.map(({ name }) => name)]),
          [['cut off', ['buy']]],
          'what was recovered, and the calls whose outcome nobody knows',
        )
      }
      const closing = (await collect(late.entries())).slice(before.length)
      assertEqual(
        closing.map((entry) => [entry.type, entry.turnId, contentField(entry, 'status')]),
        [
          ['run_failure', 'cut off', undefined],
          ['turn_marker', 'cut off', 'aborted'],
        ],
        'what was appended',
      )
      assertEqual(contentField(closing[1] ?? { type: '' }, 'metadata'), { recoverable: true }, 'what the marker says')
      assertEqual((await late.leaf())?.id, closing[1]?.id, 'the leaf')
      await assertCode(turn.append(user('late')), 'LEASE_LOST', 'an append of the turn that was closed')
      await say(late, 'next')
      assertEqual((await late.recover()).recovered, [], 'what there is to recover when the session has gone on')
    },
  },
  {
    id: 'tree:35',
    group: 'tree',
    title:
      'status tells where the newest turn stands, and whether a message may follow; arguments that are not as expected are never shown',
    async run({ sessions }) {
      const session = await (await sessions({ clock: asleep() })).create('s')
      const stands = async (expected: readonly unknown[], handle: Conversation = session) => {
        const { status, canAppend, recoverable, prompt } = await handle.status()
        assertEqual([status, canAppend, recoverable, prompt], [...expected, undefined].slice(0, 4), expected.join())
      }
      await stands(['idle', true, false])
      const first = await session.beginTurn()
      await stands(['running', false, false])
      await first.append(user('hello'))
      await first.savePoint()
      await stands(['running', false, false], await (await sessions({ clock: asleep() })).open('s'))
      await first.complete()
      await stands(['completed', true, false])
      for (const [input, prompt] of [
        ['{"question":"Which one?"}', 'Which one?'],
        ['{"secret":"no question"}', ''],
        ['not JSON', ''],
      ] as const) {
        const turn = await session.beginTurn()
        await turn.append(calls(['1', 'ask_user', input]))
        await turn.wait()
        await stands(['waiting', true, false, prompt])
      }
      await (await session.beginTurn()).fail(new Error('it failed'))
      await stands(['failed', false, false])
      await (await session.beginTurn()).abort()
      await stands(['cancelled', false, false])
      await session.beginTurn()
      const late = await (await sessions({ clock: asleep(EXPIRED) })).open('s')
      await stands(['interrupted', false, true], late)
      await late.recover()
      await stands(['interrupted', false, true], late)
    },
  },
  {
    id: 'tree:36',
    group: 'tree',
    title:
      'a retry starts before the newest save point of the turn that failed, else at the last user message, which is not there twice',
    async run({ sessions }) {
      const session = await (await sessions({ clock: asleep() })).create('s')
      await assertCode(session.retryTarget(), 'NO_RETRY_TARGET', 'a retry of nothing')
      const first = await session.beginTurn()
      await first.append(user('question'), { id: 'q' })
      await first.append([calls(['1', 'look']), result('1')], { id: ['c', 'r'] })
      await first.savePoint()
      await first.append(assistant('half an ans'), { id: 'half' })
      await first.fail('out of memory')
      const target = await session.retryTarget()
      assertEqual([target.id, target.source], ['r', 'save_point'], 'where a turn with a save point is tried again')
      const second = await session.beginTurn({ from: target })
      assertEqual(
        (await second.context()).messages,
        [user('question'), calls(['1', 'look']), result('1')],
        'its context',
      )
      await second.fail('out of memory')
      const again = await (await sessions({ clock: asleep() })).open('s')
      const next = await again.retryTarget()
      assertEqual([next.id, next.source], ['q', 'user'], 'where a turn without one is tried again')
      const third = await again.beginTurn({ from: next })
      assertEqual((await third.context()).messages, [user('question')], 'its context')
      await third.append(assistant('answer'), { id: 'a' })
      await third.complete()
      const messages = (await again.context()).messages.map(({ content }) => content)
      assertEqual(messages, ['question', 'answer'], 'the messages: the question once')
      const failed = (await collect(again.path({ leaf: 'half' }))).flatMap((entry) =>
        'message' in entry ? [entry.id] : [],
      )
      assertEqual(failed, ['q', 'c', 'r', 'half'], 'the branch that failed')
    },
  },
]
