import { expect, test } from 'vitest'
import { appendUncertain, type AppendUncertainOptions, type Settling } from '../src/append-uncertain.ts'
import { check, counterExample } from './checked.ts'

type Instance = Omit<AppendUncertainOptions, 'settling'>
const NONE: Instance = { messages: [1, 1], losses: 0, copies: 0, crashes: 0, refusals: 0 }

const INSTANCES: readonly [string, Instance][] = [
  ['two writers, every fault', { messages: [1, 1], losses: 2, copies: 1, crashes: 1, refusals: 1 }],
  ['two messages after one another', { messages: [2, 1], losses: 2, copies: 0, crashes: 1, refusals: 0 }],
  ['three writers, lost answers', { ...NONE, messages: [1, 1, 1], losses: 1, copies: 1 }],
]

for (const [name, instance] of INSTANCES) {
  test(`taking the index settles what is uncertain: ${name}`, () => {
    const { states, ends } = check(name, appendUncertain({ settling: 'take the index', ...instance }))
    expect(states).toBeGreaterThan(1000)
    expect(ends).toBeGreaterThan(0)
  })
}

const BROKEN: readonly [Settling, Instance, string][] = [
  ['believe an empty index', { ...NONE, losses: 1 }, 'what failed is never stored'],
  ['go behind', { ...NONE, losses: 1 }, 'no message is stored twice'],
  ['believe the last answer', { ...NONE, losses: 1, refusals: 1 }, 'what failed is never stored'],
  ['compare content', NONE, 'an acknowledged message stands at its index'],
]

for (const [settling, instance, invariant] of BROKEN) {
  test(`a rule that was rejected loses: ${settling}`, () => {
    expect(counterExample(settling, appendUncertain({ settling, ...instance })).invariant).toBe(invariant)
    // With the rule that was taken, the same faults do no harm.
    check(`the same with the rule taken`, appendUncertain({ ...instance, settling: 'take the index' }))
  })
}
