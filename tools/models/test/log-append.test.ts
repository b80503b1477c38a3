import { expect, test } from 'vitest'
import { logAppend, type LogAppendOptions } from '../src/log-append.ts'
import { check, counterExample } from './checked.ts'

type Instance = Omit<LogAppendOptions, 'counting' | 'spoils'>
const NONE = { kills: 0, shortWrites: 0, slowWrites: 0 }

const INSTANCES: readonly [string, Instance][] = [
  ['three writers, one killed', { ...NONE, batches: [[1], [2], [1]], kills: 1 }],
  ['two writers, a short and a slow write', { ...NONE, batches: [[1, 1], [2]], shortWrites: 1, slowWrites: 1 }],
  ['three writers, a slow write', { ...NONE, batches: [[2], [1], [1]], slowWrites: 1 }],
  [
    'two writers, the rest of a short write comes later',
    {
      ...NONE,
      batches: [
        [2, 1],
        [1, 1],
      ],
      slowWrites: 1,
      resumes: true,
    },
  ],
]

for (const [name, instance] of INSTANCES) {
  test(`counting by position loses nothing: ${name}`, () => {
    const { states, ends } = check(name, logAppend({ counting: 'by position', spoils: true, ...instance }))
    expect(states).toBeGreaterThan(1000)
    expect(ends).toBeGreaterThan(0)
  })
}

/** The schedules 1 to 5 against simpler rules, each with a step that only its trace has. */
const BROKEN: readonly [string, Pick<LogAppendOptions, 'counting' | 'spoils'>, Instance, RegExp][] = [
  [
    '1: the next writer completes a torn line',
    { counting: 'first, by line', spoils: false },
    { ...NONE, batches: [[1], [1]], kills: 1 },
    /is killed after 2 of 3 units/,
  ],
  [
    '1, by position: spoiling is needed all the same',
    { counting: 'by position', spoils: false },
    { ...NONE, batches: [[1], [1]], kills: 1 },
    /is killed after 2 of 3 units/,
  ],
  [
    '2: of a void batch the second line counts',
    { counting: 'first, by line', spoils: true },
    { ...NONE, batches: [[1], [2]] },
    /writes B0.0 and B0.1 at 0/,
  ],
  [
    '3: a void batch that was cut takes a line of another one along',
    { counting: 'first, by batch', spoils: true },
    { ...NONE, batches: [[1], [2], [1]], kills: 1 },
    /is killed after [34] of 6 units of B0.0 and B0.1/,
  ],
  [
    '4: a torn line hides the first line of a void batch',
    { counting: 'first, by batch', spoils: true },
    { ...NONE, batches: [[1], [1], [2]], shortWrites: 1 },
    /W1 has room for . of 3 units/,
  ],
  [
    '5: a writer goes on after a short write',
    { counting: 'first, by batch', spoils: true },
    { ...NONE, batches: [[2], [1]], slowWrites: 1, resumes: true },
    /W0 writes the rest/,
  ],
]

for (const [name, rule, instance, step] of BROKEN) {
  test(`a simpler rule loses, schedule ${name}`, () => {
    const { trace } = counterExample(name, logAppend({ ...rule, ...instance }))
    expect(trace.some((each) => step.test(each))).toBe(true)
    check('the same by position', logAppend({ ...instance, counting: 'by position', spoils: true }))
  })
}
