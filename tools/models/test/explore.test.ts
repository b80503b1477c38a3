import { expect, test } from 'vitest'
import { changed, describeViolation, explore, type Model } from '../src/explore.ts'

/** Two counters that each go up to a bound, in any order. */
function counters(bound: number, invariants: Model<number[]>['invariants'] = {}): Model<number[]> {
  return {
    initial: [0, 0],
    *steps(state) {
      for (const i of state.keys()) {
        if ((state[i] ?? 0) < bound) {
          yield { name: `count ${i}`, state: changed(state, (next) => void (next[i] = (next[i] ?? 0) + 1)) }
        }
      }
    },
    invariants,
  }
}

test('visits every state once and takes every step of it', () => {
  expect(explore(counters(3))).toEqual({ states: 16, transitions: 24, depth: 6, ends: 1, violation: undefined })
})

test('finds a shortest schedule against an invariant', () => {
  const model = counters(5, {
    'the first is at most 2 ahead': ([a = 0, b = 0]) => (a - b > 2 ? `${a} and ${b}` : undefined),
  })
  const { violation } = explore(model)
  expect(violation).toMatchObject({
    invariant: 'the first is at most 2 ahead',
    problem: '3 and 0',
    trace: ['count 0', 'count 0', 'count 0'],
    state: '[3,0]',
  })
  expect(violation && describeViolation(violation)).toContain('  3. count 0')
})

test('looks at the initial state too', () => {
  expect(explore(counters(1, { never: () => 'always' })).violation?.trace).toEqual([])
})

test('a model that outgrows its bound is not taken for one that was checked', () => {
  expect(() => explore(counters(100), { maxStates: 500 })).toThrow(RangeError)
})

test('a step leaves the state that it starts from as it was', () => {
  const state = { list: [1] }
  expect(changed(state, ({ list }) => void list.push(2))).toEqual({ list: [1, 2] })
  expect(state).toEqual({ list: [1] })
})
