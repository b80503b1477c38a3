import { expect, test } from 'vitest'
import { turnFence, type Fence, type TurnFenceOptions } from '../src/turn-fence.ts'
import { check, counterExample } from './checked.ts'

type Instance = Omit<TurnFenceOptions, 'fence'>

const INSTANCES: readonly [string, Instance][] = [
  ['two processes, takeovers and a crash', { turns: [2, 1], entries: 1, recoverers: 0, takeovers: 2, crashes: 1 }],
  ['three processes', { turns: [1, 1, 1], entries: 1, recoverers: 0, takeovers: 2, crashes: 0 }],
  ['two processes and two that recover', { turns: [1, 1], entries: 1, recoverers: 2, takeovers: 1, crashes: 1 }],
]

for (const [name, instance] of INSTANCES) {
  test(`the log keeps every overtaken turn out: ${name}`, () => {
    const { states, ends } = check(name, turnFence({ fence: 'the log', ...instance }))
    expect(states).toBeGreaterThan(1000)
    expect(ends).toBeGreaterThan(0)
  })
}

const BROKEN: readonly [Fence, Instance][] = [
  ['the clock', { turns: [1, 1], entries: 1, recoverers: 0, takeovers: 1, crashes: 0 }],
  ['a fresh read', { turns: [1, 1], entries: 1, recoverers: 0, takeovers: 1, crashes: 0 }],
]

for (const [fence, instance] of BROKEN) {
  test(`a rule that was rejected lets one in: ${fence}`, () => {
    const { invariant } = counterExample(fence, turnFence({ fence, ...instance }))
    expect(invariant).toBe('a turn that was overtaken appends nothing')
    check('the same with the rule taken', turnFence({ ...instance, fence: 'the log' }))
  })
}
