import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { memory } from '@sessiontree/memory'
import { afterAll, describe, expect, test } from 'vitest'
import { canonicalJson } from '../src/canonical.ts'
import { encodeSegment, scopeNames, type ScopeLevel } from '../src/names.ts'
import { contentHash, decodeRecord, encodeRecord, FORMAT, recordDigest, ROOT_DIGEST } from '../src/record.ts'
import { openSessions } from '../src/sessions.ts'
import { parseSessionDocument } from '../src/session-document.ts'
import { checkVectors, describeReader, fileOf, reader } from './reader.ts'

const vectorFile = fileOf('docs/format-vectors.json')
const vectors = JSON.parse(readFileSync(vectorFile, 'utf8')) as {
  readonly format: number
  readonly canonical: readonly ({ readonly name: string; readonly json: string } & Expected)[]
  readonly records: readonly RecordVector[]
  readonly segments: readonly SegmentVector[]
  readonly names: readonly NameVector[]
  /** A log with a gap that a repair filled, up to the record that ends it. */
  readonly repaired: readonly RepairedVector[]
}

interface Expected {
  readonly canonical?: string
  readonly hash?: string
  readonly refused?: true
}
interface RecordVector {
  readonly name: string
  readonly text: string
  /** Canonical JSON: what the hash is of. */
  readonly content: string
  /** What the digest is of. */
  readonly digestInput: string
  readonly leaf: string | null
  readonly leafDigest: string
  readonly epoch: number
  readonly turn: string | null
}
interface RepairedVector extends RecordVector {
  /** The ids from the leaf back to its root, lost records included. */
  readonly path: readonly string[]
}
interface SegmentVector {
  readonly name: string
  readonly id: string
  readonly times?: number
  readonly segment?: string
  readonly refused?: true
}
interface NameVector {
  readonly name: string
  readonly scope: readonly ScopeLevel[]
  readonly id: string
  readonly incarnation: number
  readonly createdAt: number
  readonly document: string
  readonly log: string
  readonly index: string
}

/** The digest of the entry that has this id. */
function digestOf(id: string | null, log: readonly RecordVector[]): string {
  if (id === null) return ROOT_DIGEST
  const texts = log.map(({ text }) => JSON.parse(text) as { id: string; digest: string })
  return texts.find((record) => record.id === id)?.digest ?? 'missing'
}

const hash = (text: string) => bytesToHex(sha256(utf8ToBytes(text)))

describe('docs/format-vectors.json', () => {
  test('is of this format', () => {
    expect(vectors.format).toBe(FORMAT)
  })

  test.each(vectors.canonical)('canonical JSON: $name', ({ json, canonical, hash: expected, refused }) => {
    if (refused) {
      expect(() => canonicalJson(JSON.parse(json))).toThrow(TypeError)
    } else {
      expect(canonicalJson(JSON.parse(json))).toBe(canonical)
      expect(hash(canonical as string)).toBe(expected)
    }
  })

  test.each([vectors.records, vectors.repaired].flatMap((log) => log.map((vector, at) => ({ at, log, ...vector }))))(
    'record $at: $name',
    ({ at, log, text, ...vector }) => {
      const record = decodeRecord(text, [0, at], 'vectors')
      const { id, parentId, turnId, createdAt, hash: contained, state } = record
      const [written] = JSON.parse(vector.digestInput) as [string]
      const isLost = parentId !== null && !log.some((other) => other.text.startsWith(`{"id":"${parentId}"`))
      const parentDigest = isLost ? written : digestOf(parentId, log)
      expect(canonicalJson(record.content)).toBe(vector.content)
      expect(hash(vector.content)).toBe(contained)
      expect(contentHash(record.content)).toBe(contained)
      expect(hash(vector.digestInput)).toBe(record.digest)
      expect(recordDigest({ parentDigest, id, turnId, createdAt, hash: contained })).toBe(record.digest)
      expect([state.leaf?.id ?? null, state.epoch, state.turn]).toEqual([vector.leaf, vector.epoch, vector.turn])
      expect(digestOf(vector.leaf, log)).toBe(vector.leafDigest)
      // Written once more by core it is the same text, character for character, but for what core does not know.
      const leaf = 'leaf' in (JSON.parse(text) as object) ? state.leaf : 'self'
      const again = encodeRecord({ ...record, parentDigest, leaf, epoch: state.epoch, turn: state.turn })
      expect(again.digest).toBe(record.digest)
      if (!text.includes('"$')) expect(again.text).toBe(text)
    },
  )

  test('a repaired log: the path from every leaf, over what is lost', async () => {
    expect(vectors.repaired.map(({ text }) => (JSON.parse(text) as { type: string }).type)).toEqual(
      expect.arrayContaining(['lost', 'closed']),
    )
    for (const [at, { path }] of vectors.repaired.entries()) {
      const adapter = memory()
      const document = { format: 1, rev: '', revs: [], state: 'live', id: 'a', incarnation: 1, segment: 0 }
      const createdAt = '2026-11-21T12:00:00.000Z'
      await adapter.put('session/a', JSON.stringify({ ...document, createdAt, messageFormat: 'role-content' }), {
        expect: 'absent',
      })
      const texts = vectors.repaired.slice(0, at + 1).map(({ text }) => text)
      await adapter.append('session/a/1', 0, texts)
      const session = await openSessions(adapter).open('a')
      expect((await Array.fromAsync(session.path())).map(({ id }) => id).toReversed()).toEqual(path)
      expect(await session.verify()).toMatchObject({
        ok: true,
        records: at + 1,
        digest: vectors.repaired[at]?.leafDigest,
      })
    }
  })

  test.each(vectors.segments)('segment: $name', ({ id, times = 1, segment, refused }) => {
    if (refused) expect(() => encodeSegment(id.repeat(times))).toThrow(TypeError)
    else expect(encodeSegment(id.repeat(times))).toBe(segment)
  })

  test.each(vectors.names)('names: $name', ({ scope, id, incarnation, createdAt, ...expected }) => {
    const names = scopeNames(scope)
    expect(names.session(id)).toBe(expected.document)
    expect(names.log(id, incarnation)).toBe(expected.log)
    expect(names.indexEntry(id, createdAt)).toBe(expected.index)
    expect(names.indexed(expected.index)).toEqual({ sessionKey: expected.document, createdAt })
  })
})

describe('docs/format.md', () => {
  const page = readFileSync(fileOf('docs/format.md'), 'utf8')
  const blocks = Array.from(page.matchAll(/^```(?:json)?\n(.*?)^```/gms), ([, block = '']) => block)

  test('its records are records', () => {
    const texts = blocks.filter((block) => block.includes('"hash":')).slice(0, 3)
    const records = texts.map((text, at) => decodeRecord(text, [0, at], 'page'))
    expect(records.map(({ content }) => content.type)).toEqual(['user_message', 'leaf_move', 'assistant_message'])
    for (const record of records) {
      const parentDigest = record.parentId === null ? ROOT_DIGEST : (records[0]?.digest ?? '')
      expect(record.hash).toBe(contentHash(record.content))
      expect(record.digest).toBe(recordDigest({ ...record, parentDigest }))
    }
    const [content = '', chain = ''] = blocks.find((block) => block.startsWith('{"message"'))?.split('\n') ?? []
    expect([hash(content), hash(chain)]).toEqual([records[0]?.hash, records[0]?.digest])
  })

  test('its session document and its line on disk are what they say', () => {
    const document = blocks.find((block) => block.includes('"rev":')) ?? ''
    expect(parseSessionDocument(document, 'page')).toMatchObject({ format: FORMAT, id: 'support/42' })
    const line = blocks.find((block) => block.startsWith('{"at":0'))?.replaceAll(/\n */g, '') ?? ''
    const [covered = '', crc] = line.split(',"crc":')
    expect(JSON.parse(`[${String(crc).slice(0, -1)}]`)).toEqual([crc32(covered).toString(16).padStart(8, '0')])
  })
})

const reworded = (text: string) => text.replace('"note"', '"Note"')

describeReader('tools/read_sessiontree.py', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sessiontree-vectors-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const checkChanged = (changed: object) => {
    const file = join(folder, 'vectors.json')
    writeFileSync(file, JSON.stringify({ ...vectors, ...changed }))
    return checkVectors(file)
  }

  test('is short, and checks every vector', () => {
    for (const file of [reader, fileOf('tools/read_lines.py')]) {
      expect(readFileSync(file, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(100)
    }
    const { status, output } = checkVectors(vectorFile)
    const { canonical, records, segments, names, repaired } = vectors
    const count = [canonical, records, segments, names, repaired].reduce((sum, { length }) => sum + length, 0)
    expect(output).toBe(`${count} checked, 0 damaged\n`)
    expect(status).toBe(0)
  })

  test.each<[string, object]>([
    [
      'canonical JSON',
      { canonical: vectors.canonical.map((vector, i) => (i ? vector : { ...vector, canonical: 'nil' })) },
    ],
    ['a hash', { canonical: vectors.canonical.map((vector, i) => (i ? vector : { ...vector, hash: ROOT_DIGEST })) }],
    ['what is refused', { canonical: [{ name: 'fine', json: '[]', refused: true }] }],
    [
      'a record',
      {
        records: vectors.records.map((vector, i) =>
          i < vectors.records.length - 1 ? vector : { ...vector, text: reworded(vector.text) },
        ),
      },
    ],
    ['a leaf', { records: vectors.records.map((vector, i) => (i ? vector : { ...vector, leaf: null })) }],
    ['a path', { repaired: vectors.repaired.map((vector, i) => (i ? vector : { ...vector, path: [] })) }],
    [
      'a record behind the one that ends the log',
      { repaired: [...vectors.repaired, { ...vectors.repaired.at(-1), name: 'behind' }] },
    ],
    ['a segment', { segments: [{ name: 'wrong', id: 'A', segment: 'a' }] }],
    ['a name', { names: [{ ...vectors.names[0], log: 'session/a/1' }] }],
  ])('notices a wrong vector: %s', (_what, changed) => {
    const { status, output } = checkChanged(changed)
    expect(status).toBe(1)
    expect(output).toMatch(/ checked, 1 damaged\n$/)
  })

  test('agrees with core on whatever fast-check makes up', () => {
    const seed = 1
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))
    const values = fc.sample(fc.jsonValue({ stringUnit: unit }), { numRuns: 1000, seed })
    const numbers = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 2000, seed })
    const powers = Array.from({ length: 60 }, (_, i) => [
      10 ** (i - 30),
      -1.5 * 10 ** (i - 30),
      123456789 * 10 ** (i - 30),
    ])
    const canonical = [...values, numbers, ...powers].map((value, i) => {
      const text = canonicalJson(value)
      return { name: String(i), json: JSON.stringify(value), canonical: text, hash: hash(text) }
    })
    const ids = fc.sample(fc.string({ unit: 'binary', maxLength: 40 }), { numRuns: 1000, seed })
    const segments = ids.map((id) => ({ name: id, id, segment: encodeSegment(id) }))
    const count = canonical.length + segments.length
    const { output } = checkChanged({ canonical, records: [], segments, names: [], repaired: [] })
    expect(output).toBe(`${count} checked, 0 damaged\n`)
  })
})
