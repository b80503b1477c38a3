import { SessionError } from '@sessiontree/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeText, encodeText } from '../src/body.ts'
import { decodeDocument, encodeDocument, isTombstoneSize } from '../src/document-object.ts'
import { storeKeys } from '../src/keys.ts'
import {
  decodeHeaderStart,
  decodeLogObject,
  encodeLogObject,
  encodeStub,
  HEADER_START_BYTES,
  isStubSize,
} from '../src/log-object.ts'

const ID = '0123456789abcdef0123456789abcdef'
const texts = (values: readonly string[]) => values.map(encodeText)

describe('the stored format, byte for byte', () => {
  test('a log object', () => {
    const body = decodeText(encodeLogObject(3, ID, texts(['{"n":2}']), texts(['{"n":"ü"}', '4'])))
    expect(body.trimEnd().split('\n')).toEqual([
      `{"f":1,"a":3,"n":2,"r":1,"id":"${ID}","lens":[7,10,1],"crc":"5608887c"}`,
      '{"n":2}',
      '{"n":"ü"}',
      '4',
    ])
    expect(body).toMatch(/4\n +$/)
    expect(encodeText(body).length).toBe(129)
  })

  test('what a drop leaves', () => {
    expect(decodeText(encodeStub(5, ID))).toBe(`{"f":1,"a":5,"n":0,"r":0,"id":"${ID}","lens":[],"crc":"3a9401aa"}\n`)
  })

  test('a document and a tombstone', () => {
    const header = { token: ID, born: [ID], replaced: [['t0', '"e0"']] as const }
    const body = decodeText(encodeDocument({ ...header, live: true }, '{"v":1}'))
    expect(body.trimEnd().split('\n')).toEqual([
      `{"f":1,"token":"${ID}","born":["${ID}"],"replaced":[["t0","\\"e0\\""]],"lens":[7],"crc":"d7e6569b"}`,
      '{"v":1}',
    ])
    const tombstone = decodeText(encodeDocument({ ...header, live: false }, undefined))
    expect(tombstone.trimEnd()).toBe(
      `{"f":1,"token":"${ID}","born":["${ID}"],"replaced":[["t0","\\"e0\\""]],"lens":[],"crc":"34f64089"}`,
    )
    expect([body.length % 64, tombstone.length % 64]).toEqual([0, 1])
  })

  test('keys', () => {
    const keys = storeKeys('agents/')
    expect(keys.slot('a/b', 0)).toBe('agents/log/a/b!/ffffffffffff')
    expect(keys.slot('a/b', 1)).toBe('agents/log/a/b!/fffffffffffe')
    expect(keys.slot('a/b', 2 ** 48 - 1)).toBe('agents/log/a/b!/000000000000')
    expect(keys.marker('a/b')).toBe('agents/log/a/b!/!')
    expect(keys.document('a/b')).toBe('agents/doc/a/b!')
  })

  test('keys stand in the order of the names, and no name is inside another', () => {
    const names = ['a', 'a-', 'a-b', 'a.b', 'a.b/c', 'a/b', 'a/b.c', 'a0', 'a_', 'aa', 'a~', 'b']
    const keys = storeKeys('')
    expect(names.map(keys.document).toSorted()).toEqual(names.toSorted().map(keys.document))
    const slots = names.flatMap((name) => [keys.marker(name), keys.slot(name, 9), keys.slot(name, 0)])
    expect(slots.toSorted()).toEqual(
      names.toSorted().flatMap((name) => slots.filter((key) => key.startsWith(keys.log(name)))),
    )
  })

  test.each(['/', 'a', 'a//', '../', 'a/./', 'a b/', 'ä/', 'a/\n/', `${'x'.repeat(400)}/`])(
    'the prefix %j is refused',
    (prefix) => expect(() => storeKeys(prefix)).toThrow(TypeError),
  )
})

const record = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((text) => JSON.stringify(text))
const odd = fc.constantFrom('\ufeff"bom"', '"\u2028\u0000"', '"😀"', '1', '""')

describe('log objects', () => {
  test('come back as they went in, and their size tells how many records they repeat', () => {
    const records = fc.array(fc.oneof(record, odd), { maxLength: 63 })
    fc.assert(
      fc.property(records, fc.array(fc.oneof(record, odd), { minLength: 1 }), fc.nat(1000), (repeated, own, blocks) => {
        const at = blocks * 64 + repeated.length
        const body = encodeLogObject(at, ID, texts(repeated), texts(own))
        expect(body.length % 64).toBe(repeated.length)
        expect(body.length).toBeGreaterThanOrEqual(128)
        const object = decodeLogObject(body, at)
        expect(object?.records.map(decodeText)).toEqual([...repeated, ...own])
        expect(object).toMatchObject({ id: ID, at, end: at + own.length, from: at - repeated.length })
        expect(decodeHeaderStart(body.slice(0, HEADER_START_BYTES), at)).toEqual({ end: at + own.length, id: ID })
        expect(decodeHeaderStart(body.slice(0, HEADER_START_BYTES), at + 1)).toEqual({})
        expect(decodeLogObject(body, at + 1)).toBeUndefined()
      }),
    )
  })

  test('no flipped bit goes unnoticed', () => {
    const body = encodeLogObject(3, ID, texts(['{"n":2}']), texts(['{"n":"ü"}', '4']))
    const whole = decodeLogObject(body, 3)
    const padding = decodeText(body).trimEnd()
    const content = encodeText(padding).length + 1
    for (let i = 0; i < body.length; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = body.slice()
        flipped[i] = (flipped[i] ?? 0) ^ (1 << bit)
        let seen: unknown
        try {
          seen = decodeLogObject(flipped, 3)
        } catch (error) {
          // Only the digit of the format can look like a newer one.
          expect(SessionError.is(error, 'FORMAT') && i === 5).toBe(true)
          continue
        }
        expect(seen, `byte ${i}, bit ${bit}`).toEqual(i < content ? undefined : whole)
      }
    }
  })

  test('cut short, they are damaged', () => {
    const body = encodeLogObject(0, ID, [], texts(['"one"', '"two"']))
    const content = encodeText(decodeText(body).trimEnd()).length + 1
    for (let length = 0; length < content; length++) expect(decodeLogObject(body.slice(0, length), 0)).toBeUndefined()
  })

  test('a newer format is refused, not taken for damage', () => {
    const newer = encodeText(`{"f":2,"something":"else"}\n`)
    expect(() => decodeLogObject(newer, 0)).toThrow(expect.objectContaining({ code: 'FORMAT' }))
    expect(() => decodeDocument(newer, '"e"')).toThrow(expect.objectContaining({ code: 'FORMAT' }))
  })

  test('a stub is told by its size at any index', () => {
    expect(isStubSize(encodeStub(2 ** 48 - 1, ID).length)).toBe(true)
    expect(isStubSize(encodeLogObject(0, ID, [], texts(['1'])).length)).toBe(false)
    expect(decodeLogObject(encodeStub(7, ID), 7)).toMatchObject({ at: 7, end: 7 })
    expect(decodeHeaderStart(encodeStub(7, ID), 7)).toEqual({ end: 7, id: ID })
  })
})

test('documents come back as they went in, and their size tells whether they are there', () => {
  fc.assert(
    fc.property(
      fc.option(fc.oneof(record, odd), { nil: undefined }),
      fc.array(fc.uuid(), { maxLength: 32 }),
      (value, tokens) => {
        const header = {
          token: ID,
          born: tokens.slice(0, 3),
          replaced: tokens.map((token) => [token, `"${token}"`] as const),
          live: value !== undefined,
        }
        const body = encodeDocument(header, value)
        expect(isTombstoneSize(body.length)).toBe(value === undefined)
        expect(body.length % 64).toBe(value === undefined ? 1 : 0)
        expect(decodeDocument(body, '"e"')).toEqual({ header: { ...header, etag: '"e"', size: body.length }, value })
      },
    ),
  )
})
