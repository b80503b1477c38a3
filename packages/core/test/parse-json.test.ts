import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../src/index.ts'
import { parseJson } from '../src/parse-json.ts'

// Keys that need escapes, many of one length: what V8 13 and 14 mistake for one another.
const key = fc.string({
  unit: fc.constantFrom('\\', '"', '\n', '\t', '\u0001', '\u0002', 'a', '/', '\u2028', '{', ':'),
  maxLength: 4,
})
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, -1.5e-7, 1e21, '', '\\"', 'x":{', '__proto__'),
    key,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
})).value

test('what JSON.stringify wrote comes back, escaped keys and all, whatever was parsed before', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, '\t'), (given, indent) => {
      const back = parseJson(JSON.stringify(given, undefined, indent))
      // Compared by entries: toEqual would not see a key taken for another one of an equal object.
      expect(canonicalJson(back)).toBe(canonicalJson(given))
    }),
    { numRuns: 2000 },
  )
})

test('a key is not taken for one that was parsed before', () => {
  parseJson('{"gap":0,"\\\\":1}')
  expect(Object.keys(parseJson('{"gap":0,"\\n":1}') as object)).toEqual(['gap', '\n'])
})

test('an own __proto__ stays a key, and the last of two equal keys counts', () => {
  const parsed = parseJson('{"\\n":1,"__proto__":{"a":2},"\\n":3}') as object
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
  expect(Object.entries(parsed)).toEqual([
    ['\n', 3],
    ['__proto__', { a: 2 }],
  ])
})

test('what is not JSON is a SyntaxError', () => {
  for (const text of ['', '{', '{"\\n":}', '{"a\\":1}', "{'a':1}", '[1,]']) {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  }
})
