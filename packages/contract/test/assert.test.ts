import { describe, expect, test } from 'vitest'
import { AssertionError, assertEqual, difference } from '../src/assert.ts'

const hole: unknown[] = []
hole[1] = 1

describe('difference', () => {
  const own = JSON.parse('{"__proto__":1}') as object
  test.each([
    [1, 1],
    [NaN, NaN],
    ['', ''],
    [null, null],
    [[], []],
    [{}, Object.create(null)],
    [
      { a: [1, { b: undefined }], c: 2 },
      { c: 2, a: [1, { b: undefined }] },
    ],
    [own, JSON.parse('{"__proto__":1}')],
  ])('%j equals %j', (actual, expected) => expect(difference(actual, expected)).toBeUndefined())

  test.each([
    [0, -0],
    [null, undefined],
    [1, '1'],
    [[], {}],
    [{}, { a: undefined }],
    [{ a: undefined }, {}],
    [[1], [1, 2]],
    [hole, [undefined, 1]],
    [own, {}],
    [new Date(0), new Date(0)],
    [new Map(), new Map()],
    ['é', 'e\u0301'],
  ])('%j differs from %j', (actual, expected) => expect(difference(actual, expected)).toBeDefined())
})

function failureOf(actual: unknown, expected: unknown): AssertionError {
  try {
    assertEqual(actual, expected, 'what it is')
  } catch (error) {
    if (error instanceof AssertionError) return error
  }
  throw new Error('expected an AssertionError')
}

describe('assertEqual', () => {
  test('says where the first difference is, and keeps both values for the runner', () => {
    const error = failureOf([{ a: 1 }], [{ a: 2 }])
    expect(error.message).toBe('what it is: expected 2 at [0][a], got 1')
    expect(error).toMatchObject({ name: 'AssertionError', actual: [{ a: 1 }], expected: [{ a: 2 }] })
  })

  test('shows only the neighbourhood of the difference of two long texts', () => {
    const [actual, expected] = [`${'x'.repeat(1e6)}a${'y'.repeat(1e6)}`, `${'x'.repeat(1e6)}b`]
    const error = failureOf([actual], [expected])
    expect(error.message).toContain('[0] character 1000000')
    expect(error.message).toContain('(2000001 characters)')
    expect(`${error.message}${String(error.actual)}${String(error.expected)}`.length).toBeLessThan(1000)
  })

  test('of two lists says how many elements there are, and the first that is missing or too much', () => {
    const numbers = Array.from({ length: 500 }, (_, i) => i)
    expect(failureOf([0], numbers).message).toBe('what it is: expected 500 elements, got 1; first missing: index 1, 1')
    expect(failureOf(numbers, [0]).message).toBe('what it is: expected 1 element, got 500; first too much: index 1, 1')
    expect(failureOf([], [{ a: 1 }]).message).toBe(
      'what it is: expected 1 element, got 0; first missing: index 0, {"a":1}',
    )
    // A difference before that says more.
    expect(failureOf([7], numbers).message).toBe('what it is: expected 0 at [0], got 7')
  })
})
