import type { RecordBatch, ResolvedRange } from '@sessiontree/core'
import { SessionError } from '@sessiontree/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decode } from '../src/line.ts'
import type { LineFile } from '../src/line-file.ts'
import { readRecords } from '../src/read-records.ts'
import { MemoryFile } from './memory-file.ts'

const WRITERS = 3

const usually = <Usual, Rare>(usual: Usual, rare: fc.Arbitrary<Rare>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare })

// Not fc.double: most doubles between 0 and 1 are next to 0.
const fraction = fc.integer({ min: 0, max: 9999 }).map((part) => part / 10_000)

/** One step of a writer: looks or not, writes so many records, and so much of it arrives. */
const step = fc.record({
  writer: fc.nat(WRITERS - 1),
  looks: usually(true, fc.constant(false)),
  records: fc.integer({ min: 1, max: 4 }),
  padding: fc.constantFrom(0, 10, 10, 10, 300, 300, 3000, 20_000),
  arrives: usually(null, fraction),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

interface Written {
  readonly bytes: Buffer
  /** What was acknowledged, by index. */
  readonly records: readonly string[]
}

/** Lets writers that know nothing of each other loose on one file; one that was cut short never writes again. */
function writeAll(steps: readonly Step[]): Written {
  const file = new MemoryFile()
  const writers: Map<number, LineFile> = new Map()
  const records: string[] = []
  for (const [i, { writer, looks, records: count, padding, arrives }] of steps.entries()) {
    const by = writers.get(writer) ?? file.open()
    writers.set(writer, by)
    if (looks) by.look()
    // A writer appends at a length that it believes in; whether it is right is for the file to decide.
    const texts = Array.from({ length: count }, (_, k) => JSON.stringify({ i, k, padding: 'é'.repeat(padding) }))
    if (arrives !== null) {
      file.cutNextWrite = Math.floor(arrives * (120 + padding * 2) * count)
      try {
        if (by.write('record', texts)) records.push(...texts)
      } catch (error) {
        expect(SessionError.is(error, 'QUOTA')).toBe(true)
        writers.delete(writer)
      }
      file.cutNextWrite = undefined
    } else if (by.write('record', texts)) {
      records.push(...texts)
    }
  }
  return { bytes: file.bytes, records }
}

const garbage = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 200 }),
  fc
    .constantFrom('\n', 'null\n', '{"at":', '\0'.repeat(500), '"}\n', ',"crc":"00000000"}\n')
    .map((text) => Buffer.from(text)),
)
const damage = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: fraction }),
  fc.record({ kind: fc.constant('flip' as const), at: fraction, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('overwrite' as const), at: fraction, garbage }),
  fc.record({ kind: fc.constant('insert' as const), at: fraction, garbage }),
  fc.record({ kind: fc.constant('remove' as const), at: fraction, length: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: fraction, length: fc.integer({ min: 1, max: 5000 }) }),
)
type Damage = typeof damage extends fc.Arbitrary<infer Value> ? Value : never

function damaged(bytes: Buffer, one: Damage): Buffer {
  const at = Math.floor(one.at * Math.max(0, bytes.length - 1))
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (one.kind) {
    case 'cut':
      return before
    case 'flip': {
      const copy = Buffer.from(bytes)
      if (copy.length > 0) copy.writeUInt8(copy.readUInt8(at) ^ (1 << one.bit), at)
      return copy
    }
    case 'overwrite':
      return Buffer.concat([before, one.garbage, after.subarray(one.garbage.length)])
    case 'insert':
      return Buffer.concat([before, one.garbage, after])
    case 'remove':
      return Buffer.concat([before, after.subarray(one.length)])
    default:
      return Buffer.concat([before, after.subarray(0, one.length), after])
  }
}

function read(
  bytes: Buffer,
  range: Partial<ResolvedRange> = {},
): { pages: RecordBatch[]; corruptAt: number | undefined } {
  const whole = {
    from: 0,
    to: Infinity,
    limit: Infinity,
    reverse: false,
    readAhead: 0,
    salvage: false,
    signal: undefined,
  }
  const pages: RecordBatch[] = []
  try {
    for (const page of readRecords(new MemoryFile(bytes).open(), { ...whole, ...range })) pages.push(page)
    return { pages, corruptAt: undefined }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT')) throw error
    return { pages, corruptAt: error.at }
  }
}

const flat = (pages: readonly RecordBatch[]) =>
  pages.flatMap(({ at, records }) => records.map((text, i) => [at + i, text] as const))

const steps = fc.array(step, { minLength: 1, maxLength: 30, size: 'max' })

test('whatever racing, stale and torn writers do, the file holds exactly what was acknowledged', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      const { bytes, records } = writeAll(plan)
      const expected = records.map((text, at) => [at, text])
      expect(flat(read(bytes).pages)).toEqual(expected)
      expect(flat(read(bytes, { reverse: true }).pages.toReversed())).toEqual(expected)
      const next = new MemoryFile(bytes).open()
      next.look()
      expect(next.length).toBe(records.length)
    }),
    { numRuns: 300 },
  )
})

test('whatever happens to a file, no reader gets a record that was not written at its index, and all agree', () => {
  let gaps = 0
  let damagedEnds = 0
  let unclearEnds = 0
  fc.assert(
    fc.property(steps, fc.array(damage, { minLength: 1, maxLength: 3 }), (plan, damages) => {
      const { bytes: written, records } = writeAll(plan)
      const bytes = damages.reduce(damaged, written)
      const forward = flat(read(bytes, { salvage: true }).pages)
      for (const [at, text] of forward) expect(text).toBe(records[at])
      expect(flat(read(bytes, { salvage: true, reverse: true }).pages.toReversed())).toEqual(forward)

      const opened = new MemoryFile(bytes).open()
      opened.look()
      const { damagedAt, isUnclear } = opened.tail
      const atEnd = damagedAt === undefined ? undefined : opened.length
      const gap = forward.findIndex(([at], i) => at !== i)
      if (gap > 0) gaps++
      if (atEnd !== undefined && !isUnclear) damagedEnds++
      if (isUnclear) unclearEnds++
      const up = read(bytes)
      expect(flat(up.pages)).toEqual(gap < 0 ? forward : forward.slice(0, gap))
      expect(up.corruptAt).toBe(gap < 0 ? atEnd : gap)

      const lastGap = forward.findLastIndex(([at], i) => at !== (forward[i - 1]?.[0] ?? -1) + 1)
      const down = read(bytes, { reverse: true })
      const whole = lastGap < 0 ? forward : forward.slice(lastGap)
      expect(flat(down.pages.toReversed())).toEqual(isUnclear ? [] : whole)
      expect(down.corruptAt).toBe(isUnclear || lastGap < 0 ? atEnd : (forward[lastGap]?.[0] ?? NaN) - 1)
    }),
    { numRuns: 500 },
  )
  // What damage of all kinds rarely makes must have been there.
  expect(gaps).toBeGreaterThan(50)
  expect(damagedEnds).toBeGreaterThan(20)
  expect(unclearEnds).toBeGreaterThan(5)
})

test('at no moment does a reader take what a living, slow or torn writer leaves for damage', () => {
  let undecided = 0
  fc.assert(
    fc.property(steps, fc.array(fraction, { minLength: 20, maxLength: 20 }), (plan, moments) => {
      const { bytes, records } = writeAll(plan)
      for (const moment of [...moments.map((part) => Math.floor(part * bytes.length)), bytes.length]) {
        const then = bytes.subarray(0, moment)
        const { pages, corruptAt } = read(then)
        expect(corruptAt).toBeUndefined()
        expect(read(then, { reverse: true }).corruptAt).toBeUndefined()
        const seen = flat(pages)
        expect(seen).toEqual(records.map((text, at) => [at, text]).slice(0, seen.length))
        const reader = new MemoryFile(then).open()
        reader.look()
        if (reader.tail.isUnterminated) undecided++
      }
    }),
    { numRuns: 100 },
  )
  expect(undecided).toBeGreaterThan(500)
})

test('no append takes the index of an acknowledged record that stands undamaged in its place', () => {
  let refused = 0
  let taken = 0
  const flips = fc.array(fc.record({ fromEnd: fc.nat(1500), length: fc.constantFrom(1, 1, 1, 300) }), {
    minLength: 1,
    maxLength: 2,
  })
  fc.assert(
    fc.property(steps, flips, fc.constantFrom(0, 0x20, 0x23, 0x7d), (plan, places, value) => {
      const { bytes: written } = writeAll(plan)
      const bytes = Buffer.from(written)
      for (const { fromEnd, length } of places) {
        const to = Math.max(0, bytes.length - fromEnd)
        bytes.fill(value, Math.max(0, to - length), to)
      }
      const before = flat(read(bytes, { salvage: true }).pages)
      const writer = new MemoryFile(bytes).open()
      writer.look()
      if (writer.tail.isUnclear) {
        refused++
        return
      }
      taken++
      const untouched = decode(written, 0).batches.filter(({ pos, end }) =>
        bytes.subarray(pos, end).equals(written.subarray(pos, end)),
      )
      for (const { next } of untouched) expect(next).toBeLessThanOrEqual(writer.length)
      expect(before.map(([at]) => at)).toEqual(untouched.flatMap(({ at, next }) => indexes(at, next)))
    }),
    { numRuns: 500 },
  )
  expect(refused).toBeGreaterThan(20)
  expect(taken).toBeGreaterThan(100)
})

const indexes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test('a damaged file without a gap takes the next record, and what was there stays', () => {
  fc.assert(
    fc.property(steps, damage, (plan, one) => {
      const file = new MemoryFile(damaged(writeAll(plan).bytes, one))
      const before = read(file.bytes)
      const writer = file.open()
      writer.look()
      fc.pre(!writer.tail.isUnclear && (before.corruptAt ?? writer.length) === writer.length)
      expect(writer.write('record', ['"next"'])).toBe(true)
      const kept = flat(before.pages)
      expect(flat(read(file.bytes).pages)).toEqual([...kept, [kept.length, '"next"']])
    }),
    { numRuns: 150 },
  )
})

test('a damaged document stays damaged until a value counts behind the damage', () => {
  const file = new MemoryFile()
  file.open('doc').write('record', ['"value"'])
  file.bytes.write('#', 60)
  const reader = file.open('doc')
  const states = ['', '{"at":0', 'null\n'].map((more) => {
    file.bytes = Buffer.concat([file.bytes, Buffer.from(more)])
    reader.look()
    return reader.tail.damagedAt
  })
  expect(states).toEqual([0, 0, 0])
  reader.write('removed', ['true'])
  reader.look()
  const fresh = file.open('doc')
  fresh.look()
  expect([fresh.tail.damagedAt, fresh.last?.body]).toEqual([undefined, 'removed'])
})

test('every range delivers what it would of an array', () => {
  const bound = fc.nat(70)
  const range = fc.record({
    from: bound,
    to: fc.option(bound, { nil: Infinity }),
    limit: fc.option(fc.integer({ min: 1, max: 20 }), { nil: Infinity }),
    reverse: fc.boolean(),
  })
  fc.assert(
    fc.property(steps, range, (plan, { from, to, limit, reverse }) => {
      const { bytes, records } = writeAll(plan)
      const inRange = records.map((text, at) => [at, text] as const).slice(from, Math.max(from, Math.min(to, 1e9)))
      const expected = reverse ? inRange.slice(-limit) : inRange.slice(0, limit)
      const { pages } = read(bytes, { from, to, limit, reverse })
      expect(flat(reverse ? pages.toReversed() : pages)).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})

test('each undamaged line is JSON of its own, as jq reads it', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      const { bytes, records } = writeAll(plan)
      const lines = bytes.toString().split('\n').slice(0, -1)
      const parsed = lines.flatMap((line) => {
        try {
          return [JSON.parse(line) as { at: number; record: unknown } | null]
        } catch {
          // A torn line, spoiled or fused: nothing of it is counted below.
          return []
        }
      })
      for (const text of records) expect(parsed).toContainEqual(expect.objectContaining({ record: JSON.parse(text) }))
    }),
    { numRuns: 50 },
  )
})
