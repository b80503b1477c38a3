import { expect, test } from 'vitest'
import { forkDelete, type ForkDelete, type ForkDeleteOptions } from '../src/fork-delete.ts'
import { check, counterExample } from './checked.ts'

type Instance = Omit<ForkDeleteOptions, 'rule'>

const INSTANCES: readonly [string, Instance][] = [
  ['a fork of the session and one of its fork', { forkers: ['S', 'F'], deleters: 1, crashes: 1 }],
  ['a fork of a fork, two deletions', { forkers: ['F'], deleters: 2, crashes: 1 }],
  ['a fork, two deletions', { forkers: ['S'], deleters: 2, crashes: 1 }],
]

for (const [name, instance] of INSTANCES) {
  test(`no fork lives without its data: ${name}`, () => {
    const { states, ends } = check(name, forkDelete({ rule: 'refer, look, create', ...instance }))
    expect(states).toBeGreaterThan(1000)
    expect(ends).toBeGreaterThan(0)
  })
}

const BROKEN: readonly [ForkDelete, Instance][] = [
  ['look first', { forkers: ['S'], deleters: 1, crashes: 0 }],
  ['list first', { forkers: ['S'], deleters: 1, crashes: 0 }],
  ['do not block', { forkers: ['S'], deleters: 1, crashes: 0 }],
  ['list once', { forkers: ['F'], deleters: 1, crashes: 0 }],
  ['pass over what was seen', { forkers: ['F'], deleters: 1, crashes: 0 }],
  ['believe what is gone', { forkers: ['F'], deleters: 2, crashes: 0 }],
  ['remove whatever is there', { forkers: ['F'], deleters: 1, crashes: 0 }],
]

for (const [rule, instance] of BROKEN) {
  test(`a rule that was rejected loses: ${rule}`, () => {
    expect(counterExample(rule, forkDelete({ rule, ...instance })).invariant).toBe('no fork lives without its data')
    check('the same with the rule taken', forkDelete({ ...instance, rule: 'refer, look, create' }))
  })
}
