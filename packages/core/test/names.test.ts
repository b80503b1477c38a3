import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkName, isSegment, MAX_NAME_LENGTH } from '../src/check.ts'
import { encodeSegment, MAX_ENCODED_ID, scopeNames } from '../src/names.ts'

const id = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('a', 'A', '~', '4', '1', '-', '_', '/', '.', 'é', '😀'), maxLength: 6 }),
  // Near the length at which an id is hashed.
  fc.tuple(fc.integer({ min: 80, max: 90 }), fc.constantFrom('', '!', 'é', 'b')).map(([n, end]) => 'a'.repeat(n) + end),
  fc.constantFrom('', '~', '~~', 'con', '~63on', 'com1', 'com1.x', 'nul', 'aux-', '.', '..', 'session', 'index', 'a.0'),
)

/** What somebody might mistake for the same id. */
const similar = [
  (text: string) => text.toUpperCase(),
  (text: string) => text.toLowerCase(),
  (text: string) => text.normalize('NFD'),
  (text: string) => text.normalize('NFKC'),
  (text: string) => text.trim(),
  (text: string) => `${text} `,
  (text: string) => `${text}\0`,
  (text: string) => text.slice(0, -1),
  (text: string) => text.replaceAll('/', '_'),
  (text: string) => encodeSegment(text),
  (text: string) => `~${text}`,
].map((change) => (text: string) => change(text).toWellFormed())

const pair = fc.oneof(
  fc.tuple(id, id),
  fc.tuple(id, fc.constantFrom(...similar)).map(([text, change]) => [text, change(text)] as const),
)
const level = fc.record({ id, incarnation: fc.oneof(fc.nat(20), fc.nat(2 ** 31 - 1)) })
const scope = fc.array(level, { maxLength: 4 }).filter(isScope)

function isScope(levels: readonly { id: string; incarnation: number }[]): boolean {
  return (
    levels.map((one) => encodeSegment(one.id).length + String(one.incarnation).length + 2).reduce((a, b) => a + b, 0) <=
    280
  )
}

describe('encodeSegment', () => {
  test.each<[string, string]>([
    ['', '~'],
    ['a', 'a'],
    ['A', '~41'],
    ['a_b-0', 'a_b-0'],
    ['a/b', 'a~2fb'],
    ['.', '~2e'],
    ['..', '~2e~2e'],
    ['~', '~7e'],
    ['é', '~c3~a9'],
    ['e\u0301', 'e~cc~81'],
    ['😀', '~f0~9f~98~80'],
    ['\0', '~00'],
    ['con', '~63on'],
    ['lpt9', '~6cpt9'],
    ['console', 'console'],
    ['con.txt', 'con~2etxt'],
    ['x'.repeat(86), 'x'.repeat(86)],
  ])('%j → %s', (text, segment) => {
    expect(encodeSegment(text)).toBe(segment)
  })

  test('one character too long is hashed: 20 characters, ~~, 64 of hex', () => {
    for (const text of ['x'.repeat(87), 'é'.repeat(15), '😀'.repeat(10_000)]) {
      expect(encodeSegment(text)).toMatch(/^[a-z0-9~]{20}~~[0-9a-f]{64}$/)
      expect(encodeSegment(text)).toHaveLength(MAX_ENCODED_ID)
    }
    expect(encodeSegment('é'.repeat(14) + 'ab')).toHaveLength(MAX_ENCODED_ID)
  })

  test.each(['\ud800', 'a\udc00b', '\ude00\ud83d', `${'x'.repeat(100)}\ud800`])(
    'refuses the lone surrogate in %j',
    (text) => {
      expect(() => encodeSegment(text)).toThrow(TypeError)
      expect(() => encodeSegment(text)).toThrow('lone surrogate')
    },
  )

  test('refuses what is no string', () => {
    expect(() => encodeSegment(1 as unknown as string)).toThrow(TypeError)
  })

  test('always gives a segment, and never the same one for two ids', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [one, other] = [encodeSegment(a), encodeSegment(b)]
        expect(isSegment(one)).toBe(true)
        expect(one).not.toContain('.')
        expect(one.length).toBeLessThanOrEqual(MAX_ENCODED_ID)
        expect(one === other).toBe(a === b)
      }),
      { numRuns: 2000 },
    )
  })

  test('a short one can be decoded', () => {
    fc.assert(
      fc.property(id, (text) => {
        const segment = encodeSegment(text)
        if (segment.includes('~~')) return
        const escaped = segment === '~' ? '' : segment.replaceAll('~', '%')
        expect(decodeURIComponent(escaped)).toBe(text)
      }),
    )
  })
})

describe('scopeNames', () => {
  test('the names of a session', () => {
    const names = scopeNames([
      { id: 'Acme', incarnation: 0 },
      { id: 'user', incarnation: 3 },
    ])
    expect(names.kind('refs')).toBe('~41cme.0/user.3/refs')
    expect(names.session('a/b')).toBe('~41cme.0/user.3/session/a~2fb')
    expect(names.log('a/b', 2)).toBe('~41cme.0/user.3/session/a~2fb/2')
    expect(names.indexEntry('a/b', 1_700_000_000_000)).toBe('~41cme.0/user.3/index/fe74301a97ff-a~2fb')
  })

  test('names of different scopes, kinds, incarnations and ids never meet', () => {
    const part = fc.constantFrom('scope', 'id', 'incarnation', 'createdAt')
    fc.assert(
      fc.property(whole, whole, part, fc.constantFrom(...similar), (a, unlike, changed, change) => {
        const b = { ...a, [changed]: changed === 'id' ? change(a.id) : unlike[changed] }
        const sameScope = JSON.stringify(a.scope) === JSON.stringify(b.scope)
        const sameId = sameScope && a.id === b.id
        const [mine, yours] = [namesOf(a), namesOf(b)]
        expect(mine.kind === yours.kind).toBe(sameScope)
        expect(mine.session === yours.session).toBe(sameId)
        expect(mine.log === yours.log).toBe(sameId && a.incarnation === b.incarnation)
        expect(mine.index === yours.index).toBe(sameId && a.createdAt === b.createdAt)
        for (const [kind, name] of Object.entries(mine)) {
          expect(() => checkName(name)).not.toThrow()
          expect(name.length).toBeLessThan(MAX_NAME_LENGTH)
          for (const [other, foreign] of Object.entries(yours)) if (other !== kind) expect(name).not.toBe(foreign)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('what one scope keeps is never below what another keeps', () => {
    fc.assert(
      fc.property(scope, scope, id, (a, b, text) => {
        const [mine, other] = [scopeNames(a), scopeNames(b)]
        const below = other.log(text, 0).startsWith(`${mine.kind('session')}/`)
        expect(below).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })

  test('ascending index keys are descending times, then ascending encoded ids; a key leads back to its session', () => {
    const time = fc.oneof(
      fc.nat(3),
      fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 }),
      fc.constant(2 ** 48 - 1),
    )
    fc.assert(
      fc.property(scope, id, time, id, time, (levels, a, early, b, late) => {
        const names = scopeNames(levels)
        const [one, other] = [names.indexEntry(a, early), names.indexEntry(b, late)]
        const expected = early === late ? order(encodeSegment(a), encodeSegment(b)) : order(late, early)
        expect(order(one, other)).toBe(expected)
        expect(names.indexed(one)).toEqual({ sessionKey: names.session(a), createdAt: early })
      }),
    )
  })

  test('refuses more than four levels, too long ones, and what is no incarnation or time', () => {
    const levels = (count: number, text = 'a') => Array.from({ length: count }, () => ({ id: text, incarnation: 0 }))
    expect(scopeNames(levels(4)).session('a')).toBe('a.0/a.0/a.0/a.0/session/a')
    expect(() => scopeNames(levels(5))).toThrow(TypeError)
    expect(() => scopeNames(levels(3, 'x'.repeat(1000)))).not.toThrow()
    expect(() => scopeNames(levels(4, 'x'.repeat(1000)))).toThrow(/scope: 356 characters/)
    for (const incarnation of [-1, 0.5, NaN]) {
      expect(() => scopeNames([{ id: 'a', incarnation }])).toThrow(TypeError)
    }
    for (const createdAt of [-1, 0.5, NaN, 2 ** 48]) {
      expect(() => scopeNames([]).indexEntry('a', createdAt)).toThrow(TypeError)
    }
  })
})

const whole = fc.record({ scope, id, incarnation: fc.nat(3), createdAt: fc.nat(3) })

function namesOf({
  scope: levels,
  id: text,
  incarnation,
  createdAt,
}: Whole): Record<'kind' | 'session' | 'log' | 'index', string> {
  const names = scopeNames(levels)
  return {
    kind: names.kind('refs'),
    session: names.session(text),
    log: names.log(text, incarnation),
    index: names.indexEntry(text, createdAt),
  }
}

interface Whole {
  scope: { id: string; incarnation: number }[]
  id: string
  incarnation: number
  createdAt: number
}

function order<Value extends string | number>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0
}
