import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_RECORD_BYTES } from '../src/adapter.ts'
import { canonicalJson } from '../src/canonical.ts'
import { CorruptError } from '../src/errors.ts'
import {
  contentHash,
  decodeRecord,
  encodeRecord,
  ENVELOPE_FIELDS,
  recordDigest,
  ROOT_DIGEST,
  type NewRecord,
  type RecordContent,
  type RecordHints,
} from '../src/record.ts'

const content = { type: 'user_message', message: { role: 'user', content: 'Where is my parcel?' } }
const base: Omit<NewRecord, 'content' | 'hash'> = {
  id: 'e1',
  parentId: null,
  parentDigest: ROOT_DIGEST,
  createdAt: '2026-11-21T10:00:00.000Z',
  leaf: 'self',
  epoch: 0,
  turn: null,
  hints: {},
}

const encode = (change: Partial<NewRecord> & { content?: RecordContent } = {}) => {
  const record = { ...base, content, ...change }
  return encodeRecord({ ...record, hash: contentHash(record.content) })
}
const decode = (text: string, at = 7) => decodeRecord(text, [0, at], 'session/a/0')
/** The text of a valid record with some fields changed; undefined removes one. */
const altered = (change: object) => JSON.stringify({ ...(JSON.parse(encode().text) as object), ...change })

describe('contentHash', () => {
  test('does not depend on the order of keys, and on nothing else than what JSON keeps', () => {
    const turned = { message: { content: 'Where is my parcel?', note: undefined, role: 'user' }, type: 'user_message' }
    expect(contentHash(turned)).toBe(contentHash(content))
    expect(contentHash({ ...content, type: 'tool_result' })).not.toBe(contentHash(content))
  })

  test.each([...ENVELOPE_FIELDS, '$later', '$'])('refuses the field %s', (field) => {
    expect(() => contentHash({ ...content, [field]: 'mine' })).toThrow(TypeError)
    expect(() => contentHash({ ...content, [field]: 'mine' })).toThrow(`["${field}"]`)
  })

  test('an inner field may have such a name; a value that JSON cannot keep is refused with its path', () => {
    expect(() => contentHash({ type: 'custom', data: { id: 1, hash: 2 } })).not.toThrow()
    expect(() => contentHash({ type: 'custom', data: { when: new Date() } })).toThrow('["data"]["when"] is a Date')
  })
})

describe('recordDigest', () => {
  const record = { parentDigest: ROOT_DIGEST, id: 'a', createdAt: '2026-11-21T10:00:00.000Z', hash: '00' }

  test('commits to the parent, the id, the turn, the time and the content', () => {
    const changes = [
      {},
      { parentDigest: 'f'.repeat(64) },
      { id: 'b' },
      { turnId: 'b' },
      { turnId: '' },
      { createdAt: '2026-11-21T10:00:00.001Z' },
      { hash: '01' },
      // What stands at a seam cannot wander over it.
      { id: 'a","b' },
      { id: 'a', turnId: 'null' },
    ]
    expect(new Set(changes.map((change) => recordDigest({ ...record, ...change }))).size).toBe(changes.length)
  })
})

describe('encodeRecord', () => {
  test('the whole text, field by field', () => {
    expect(encode().text).toBe(
      '{"id":"e1","parentId":null,"createdAt":"2026-11-21T10:00:00.000Z","type":"user_message",' +
        '"message":{"role":"user","content":"Where is my parcel?"},' +
        `"hash":"${contentHash(content)}","digest":"${encode().digest}"}`,
    )
    const hints = { parent: [0, 3], compaction: [0, 1] } satisfies RecordHints
    const leaf = { id: 'x', position: [0, 3] } as const
    const full = encode({ parentId: 'x', parentDigest: 'd', turnId: 't', leaf, epoch: 2, turn: 't', hints })
    expect(full.text).toBe(
      '{"id":"e1","parentId":"x","turnId":"t","createdAt":"2026-11-21T10:00:00.000Z","type":"user_message",' +
        '"message":{"role":"user","content":"Where is my parcel?"},' +
        `"hash":"${contentHash(content)}","digest":"${full.digest}",` +
        '"leaf":{"id":"x","position":[0,3]},"epoch":2,"turn":"t","hints":{"parent":[0,3],"compaction":[0,1]}}',
    )
    expect(encode({ leaf: null }).text).toContain('"leaf":null')
  })

  test('content keeps the order of its keys', () => {
    const { text } = encode({ content: { type: 'custom', zebra: 1, ant: { y: 1, x: 2 } } })
    expect(Object.keys(decode(text).content)).toEqual(['type', 'zebra', 'ant'])
    expect(text).toContain('"ant":{"y":1,"x":2}')
  })

  test('more than 64 MiB is refused', () => {
    const large = { type: 'custom', data: 'x'.repeat(MAX_RECORD_BYTES) }
    expect(() => encodeRecord({ ...base, content: large, hash: '00' })).toThrow(TypeError)
  })
})

// No backslash in a key: see the known gap below.
const json = fc
  .json({ stringUnit: 'binary', maxDepth: 4 })
  .map((text) => JSON.parse(text.replaceAll('\\\\', '/')) as unknown)
const fieldName = fc
  .oneof(
    fc.string({ unit: 'binary' }).map((name) => name.replaceAll('\\', '')),
    fc.constantFrom('__proto__', 'constructor', 'toJSON', '0', 'message', '\ud800'),
  )
  .filter((name) => !ENVELOPE_FIELDS.has(name) && !name.startsWith('$') && name !== 'type')
const position = fc.tuple(fc.nat(5), fc.nat(1000))
const anyRecord = fc.record({
  id: fc.string({ unit: 'binary', minLength: 1 }),
  parentId: fc.option(fc.string({ unit: 'binary' })),
  parentDigest: fc.constantFrom(ROOT_DIGEST, 'a'.repeat(64)),
  turnId: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
  createdAt: fc.constant('2026-11-21T10:00:00.000Z'),
  fields: fc.array(fc.tuple(fieldName, json), { maxLength: 5 }),
  leaf: fc.option(
    fc.oneof(fc.constant('self' as const), fc.record({ id: fc.string(), position }, { noNullPrototype: true })),
  ),
  epoch: fc.nat(),
  turn: fc.option(fc.string()),
  hints: fc.record({ parent: position, compaction: position }, { requiredKeys: [], noNullPrototype: true }),
})

describe('decodeRecord', () => {
  test('gives back what was encoded, whatever it was', () => {
    fc.assert(
      fc.property(anyRecord, ({ fields, ...record }) => {
        // From entries, so that an own `__proto__` stays one.
        const original = Object.fromEntries([['type', 'custom'], ...fields]) as RecordContent
        const hash = contentHash(original)
        const { text, digest } = encodeRecord({ ...record, content: original, hash })
        const decoded = decode(text)
        const { id, parentId, turnId, createdAt, epoch, turn, hints } = record
        const leaf = record.leaf === 'self' ? { id, position: [0, 7] } : record.leaf
        assert.deepStrictEqual(
          { ...decoded, content: undefined },
          { id, parentId, turnId, createdAt, hash, digest, state: { leaf, epoch, turn }, hints, content: undefined },
        )
        assert.deepStrictEqual(decoded.content, JSON.parse(JSON.stringify(original)))
        expect(contentHash(decoded.content)).toBe(hash)
        expect(encodeRecord({ ...record, content: decoded.content, hash }).text).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  test('an own __proto__ in the content survives and is no prototype', () => {
    const original = JSON.parse('{"type":"custom","__proto__":{"a":1},"data":{"__proto__":null}}') as RecordContent
    const decoded = decode(encode({ content: original }).text).content
    expect(canonicalJson(decoded)).toBe('{"__proto__":{"a":1},"data":{"__proto__":null},"type":"custom"}')
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype)
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })

  test('an escaped key survives after a key with a backslash', () => {
    decode(encode({ content: { type: 'custom', data: { gap: 0, '\\': 1 } } }).text)
    const original = { type: 'custom', data: { gap: 0, '\n': 1 } }
    expect(decode(encode({ content: original }).text).content).toEqual(original)
  })

  test('fields and types that this version does not know survive', () => {
    const original = { type: 'hologram', layers: [1, { depth: 2 }], spin: null }
    expect(decode(encode({ content: original }).text).content).toEqual(original)
  })

  test('what an absent field means', () => {
    const { state, hints, turnId } = decode(encode().text, 9)
    expect({ state, hints, turnId }).toEqual({
      state: { leaf: { id: 'e1', position: [0, 9] }, epoch: 0, turn: null },
      hints: {},
      turnId: undefined,
    })
    expect(decode(encode({ leaf: null }).text).state.leaf).toBeNull()
  })

  test('reserved names are no content', () => {
    expect(decode(altered({ at: 5, position: [3, 5], $later: { type: 'x' } })).content).toEqual(content)
  })

  test.each<[string, object]>([
    ['null as hints', { hints: null }],
    ['a text as hints', { hints: 'x' }],
    ['hints that are no positions', { hints: { parent: 3, compaction: [0, -1] } }],
    ['hints with fractions', { hints: { parent: [0, 1.5], compaction: ['0', 1] } }],
    ['hints of another length', { hints: { parent: [0], compaction: [0, 1, 2] } }],
  ])('%s are no hints', (_name, change) => {
    expect(decode(altered(change)).hints).toEqual({})
  })

  test.each([undefined, null, 3, [0], [0, -1], ['0', 1]])('a leaf with position %j is searched for', (wrong) => {
    expect(decode(altered({ leaf: { id: 'x', position: wrong } })).state.leaf).toEqual({ id: 'x', position: [0, 7] })
  })

  test('a text that nests 100,000 deep is CORRUPT, without a stack overflow', () => {
    for (const text of ['['.repeat(100_000), `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`]) {
      expect(() => decode(text)).toThrow(/^Record 7 of log session\/a\/0 nests deeper than 256 levels/)
    }
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['no JSON', '{"id":"e1"'],
    ['a raw control character', '{"id":"\u0001"}'],
    ['null', 'null'],
    ['a number', '7'],
    ['an array', '[]'],
    ['an empty object', '{}'],
    ...['id', 'parentId', 'createdAt', 'type', 'hash', 'digest'].map((field): [string, string] => [
      `no ${field}`,
      altered({ [field]: undefined }),
    ]),
    ...['id', 'parentId', 'turnId', 'createdAt', 'type', 'hash', 'digest', 'turn'].map((field): [string, string] => [
      `a number as ${field}`,
      altered({ [field]: 7 }),
    ]),
    ['null as id', altered({ id: null })],
    ['a text as epoch', altered({ epoch: '1' })],
    ['a text as leaf', altered({ leaf: 'e1' })],
    ['a leaf without id', altered({ leaf: { position: [0, 1] } })],
  ])('%s is CORRUPT, and the error tells where but not what', (_name, text) => {
    const error = caught(() => decode(text))
    expect(error).toBeInstanceOf(CorruptError)
    expect(error).toMatchObject({ code: 'CORRUPT', log: 'session/a/0', at: 7 })
    expect(String(error)).not.toContain('parcel')
  })

  test('any damaged text is a record or CORRUPT, never another error', () => {
    const { text } = encode({ turnId: 't', leaf: { id: 'x', position: [0, 3] }, hints: { parent: [0, 3] } })
    const damage = fc.record({ at: fc.nat(text.length - 1), length: fc.nat(3), to: fc.string({ maxLength: 3 }) })
    fc.assert(
      fc.property(damage, ({ at, length, to }) => {
        const error = caught(() => decode(text.slice(0, at) + to + text.slice(at + length)))
        if (error !== undefined) expect(error).toBeInstanceOf(CorruptError)
      }),
      { numRuns: 1000 },
    )
  })
})

function caught(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}
