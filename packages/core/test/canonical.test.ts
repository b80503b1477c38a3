import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, MAX_DEPTH, nestsAtMost } from '../src/canonical.ts'

// Any UTF-16 code unit, so that lone surrogates come up too.
const unit = fc.oneof(
  fc.constantFrom('a', '"', '\\', '/', '[', '}', '\0', '\n', '\u007f', '\u2028', '\ud83d', '\ude00', '\ufb33'),
  fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
)
const text = fc.string({ unit, maxLength: 8 })
// No backslash in a key: V8 13 and 14 (Node 24 and 26) then misread escaped keys, see the known gap in record.test.ts.
const key = fc.oneof(
  text.map((name) => name.replaceAll('\\', '')),
  fc.constantFrom('__proto__', 'constructor', 'toString', '0', '10', '9', '-1', ''),
)
const { json } = fc.letrec<{ json: unknown; array: unknown[]; object: Map<string, unknown> }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    tie('array'),
    tie('object'),
  ),
  array: fc.array(tie('json'), { maxLength: 5 }),
  object: fc.array(fc.tuple(key, tie('json')), { maxLength: 5 }).map((members) => new Map(members)),
}))

/** JSON text of a generated value, whose objects are maps: their order is the order of the text. */
function jsonOf(value: unknown, turned = false): string {
  if (value instanceof Map) {
    const members = [...value].map(([name, member]) => `${JSON.stringify(name)}:${jsonOf(member, turned)}`)
    return `{${(turned ? members.toReversed() : members).join(',')}}`
  }
  if (Array.isArray(value)) return `[${value.map((item) => jsonOf(item, turned)).join(',')}]`
  return JSON.stringify(value)
}

const nested = (levels: number): unknown => {
  let value: unknown = 0
  for (let level = 0; level < levels; level++) value = level % 2 ? { a: value } : [value]
  return value
}

describe('canonicalJson', () => {
  test.each<[string, unknown, string]>([
    ['undefined properties are left out', { b: undefined, a: 1 }, '{"a":1}'],
    ['-0', [-0], '[0]'],
    ['an own __proto__', JSON.parse('{"z":1,"__proto__":{"a":2}}'), '{"__proto__":{"a":2},"z":1}'],
    ['an object without prototype', Object.assign(Object.create(null), { b: 1, a: 2 }), '{"a":2,"b":1}'],
    ['an object of another realm', runInNewContext('({ b: [1], a: {} })'), '{"a":{},"b":[1]}'],
    ['inherited properties are not content', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['a lone surrogate in a key', { '\ud800': 1 }, '{"\\ud800":1}'],
    ['a pair stays as it is', '\ud83d\ude00', '"\ud83d\ude00"'],
  ])('%s', (_name, value, expected) => {
    expect(canonicalJson(value)).toBe(expected)
  })

  test('one object in two places is no cycle', () => {
    const shared = { a: 1 }
    expect(canonicalJson([shared, { b: shared }])).toBe('[{"a":1},{"b":{"a":1}}]')
  })

  const cycle: Record<string, unknown> = { list: [] }
  ;(cycle['list'] as unknown[]).push(cycle)
  test.each<[string, unknown, string]>([
    ['undefined itself', undefined, 'the value is undefined'],
    ['NaN', { a: [1, NaN] }, '["a"][1] is NaN'],
    ['Infinity', { a: -Infinity }, '["a"] is -Infinity'],
    ['a bigint', { a: 1n }, '["a"] is bigint'],
    ['a function', { a: { b: () => 0 } }, '["a"]["b"] is function'],
    ['toJSON', { a: { toJSON: () => 0 } }, '["a"]["toJSON"] is function'],
    ['a symbol', [Symbol('x')], '[0] is symbol'],
    ['a symbol key', { a: { [Symbol('x')]: 1 } }, '["a"] is an object with symbol keys'],
    ['undefined in an array', [0, undefined], '[1] is undefined'],
    // oxlint-disable-next-line no-sparse-arrays
    ['a hole', { a: [0, , 2] }, '["a"] is an array with holes'],
    ['a named property of an array', Object.assign([1], { toJSON: () => 2 }), 'the value is an array with'],
    ['bytes', { a: new Uint8Array(2) }, '["a"] is a Uint8Array'],
    ['a Buffer', { a: Buffer.from('x') }, '["a"] is a Buffer'],
    ['a Date', { a: new Date(0) }, '["a"] is a Date'],
    ['a Map', { a: new Map() }, '["a"] is a Map'],
    ['a Set', [new Set()], '[0] is a Set'],
    ['an Error', [new Error('secret')], '[0] is a Error'],
    ['a boxed number', [Object(1)], '[0] is a Number'],
    ['a regular expression', [/x/], '[0] is a RegExp'],
    ['a class instance', { a: new (class Thing {})() }, '["a"] is a Thing'],
    ['a promise', { a: Promise.resolve() }, '["a"] is a Promise'],
    ['a cycle', { root: cycle }, '["root"]["list"][0] is a cycle'],
    ['a quoted key', { 'a"b': NaN }, '["a\\"b"] is NaN'],
  ])('refuses %s and says where', (_name, value, where) => {
    expect(() => canonicalJson(value)).toThrow(TypeError)
    expect(() => canonicalJson(value)).toThrow(where)
  })

  test('256 levels are taken, 257 refused with a path; so deep that nothing may recurse', () => {
    expect(JSON.parse(canonicalJson(nested(MAX_DEPTH)))).toEqual(nested(MAX_DEPTH))
    expect(() => canonicalJson(nested(MAX_DEPTH + 1))).toThrow(/^\[0\]\["a"\]\[0\].* is nested deeper than 256 levels/)
    expect(() => canonicalJson(nested(100_000))).toThrow(TypeError)
  })

  test('comes back deep-equal; keys ascend by code unit, whatever order they came in', () => {
    fc.assert(
      fc.property(json, (value) => {
        const parsed: unknown = JSON.parse(jsonOf(value))
        const canonical = canonicalJson(parsed)
        assert.deepStrictEqual(JSON.parse(canonical), JSON.parse(JSON.stringify(parsed)))
        expect(canonicalJson(JSON.parse(canonical))).toBe(canonical)
        expect(canonicalJson(JSON.parse(jsonOf(value, true)))).toBe(canonical)
        expect(canonical.isWellFormed()).toBe(true)
        expect(canonical).toBe(reference(value))
      }),
      { numRuns: 500 },
    )
  })
})

/** The same once more, from the generated value and with another way to compare keys. */
function reference(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(reference).join(',')}]`
  if (!(value instanceof Map)) return JSON.stringify(value)
  const keys = [...(value.keys() as Iterable<string>)].toSorted((a, b) => bigEndian(a).compare(bigEndian(b)))
  return `{${keys.map((name) => `${JSON.stringify(name)}:${reference(value.get(name))}`).join(',')}}`
}

const bigEndian = (name: string) => Buffer.from(name, 'utf16le').swap16()

describe('nestsAtMost', () => {
  test.each<[string, number, boolean]>([
    ['0', 0, true],
    ['[]', 0, false],
    ['[]', 1, true],
    ['[{}]', 1, false],
    ['[{}]', 2, true],
    ['[[],[],[]]', 2, true],
    ['"[[["', 0, true],
    ['"\\"[[["', 0, true],
    ['"\\\\"', 0, true],
    ['["\\\\",[]]', 1, false],
    ['{"[":"\\\\\\"{"}', 1, true],
  ])('%s at most %i: %s', (candidate, levels, expected) => {
    expect(nestsAtMost(candidate, levels)).toBe(expected)
  })

  test('agrees with what canonicalJson takes', () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 0, max: 6 }), (value, levels) => {
        expect(nestsAtMost(jsonOf(value), levels)).toBe(depthOf(value) <= levels)
      }),
    )
  })

  test('ten million brackets cost one pass', () => {
    expect(nestsAtMost('['.repeat(10_000_000), MAX_DEPTH)).toBe(false)
  })
})

function depthOf(value: unknown): number {
  const inner = value instanceof Map ? [...value.values()] : Array.isArray(value) ? value : undefined
  return inner ? 1 + Math.max(0, ...inner.map(depthOf)) : 0
}
