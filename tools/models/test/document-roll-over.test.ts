import { expect, test } from 'vitest'
import { documentRollOver, type RollOver, type RollOverOptions } from '../src/document-roll-over.ts'
import { numberedGenerations } from '../src/numbered-generations.ts'
import { check, counterExample } from './checked.ts'

type Instance = Omit<RollOverOptions, 'rule'>

const INSTANCES: readonly [string, Instance][] = [
  ['two writers, a reader, a crash', { puts: [2, 1], gets: 2, sweeps: 0, crashes: 1 }],
  ['two writers, a sweeper, a crash', { puts: [2, 1], gets: 0, sweeps: 2, crashes: 1 }],
  ['three writers', { puts: [1, 1, 1], gets: 0, sweeps: 0, crashes: 0 }],
]

for (const [name, instance] of INSTANCES) {
  test(`sealing and renaming loses nothing: ${name}`, () => {
    const { states, ends } = check(name, documentRollOver({ rule: 'seal and rename', ...instance }))
    expect(states).toBeGreaterThan(1000)
    expect(ends).toBeGreaterThan(0)
  })
}

const BROKEN: readonly [RollOver, Instance, string][] = [
  ['believe the link count', { puts: [1, 1], gets: 0, sweeps: 0, crashes: 0 }, 'what was refused is never current'],
  ['sweep by age', { puts: [2, 0], gets: 0, sweeps: 2, crashes: 0 }, 'a document is never absent'],
  ['rename before sealing', { puts: [1, 1], gets: 0, sweeps: 0, crashes: 0 }, 'no acknowledged value is lost'],
]

for (const [rule, instance, invariant] of BROKEN) {
  test(`a rule that was rejected loses: ${rule}`, () => {
    expect(counterExample(rule, documentRollOver({ rule, ...instance })).invariant).toBe(invariant)
    check('the same with the rule taken', documentRollOver({ ...instance, rule: 'seal and rename' }))
  })
}

test('numbered generations lose: whoever found no document creates a generation that is over (d1)', () => {
  const { trace } = counterExample('d1', numberedGenerations({ exists: false, puts: [1, 2] }))
  expect(trace).toContain('W0 finds no generation')
})

test('numbered generations lose: whoever follows a seal creates a generation that is over (d2)', () => {
  const { trace } = counterExample('d2', numberedGenerations({ exists: true, puts: [1, 2] }))
  expect(trace.some((step) => step.startsWith('W0 meets the seal'))).toBe(true)
})
