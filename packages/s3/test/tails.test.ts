import { describe, expect, test } from 'vitest'
import { decodeText, encodeText } from '../src/body.ts'
import { lastWithin, Tails } from '../src/tails.ts'

/** An object that holds `from` ≤ index < `end`; each record tells its index. */
const object = (from: number, end: number) => ({
  from,
  end,
  records: Array.from({ length: end - from }, (_, i) => encodeText(String(from + i))),
})

function known(tails: Tails, log = 'log'): { end: number; records: number[] } | undefined {
  const tail = tails.get(log)
  return tail && { end: tail.end, records: tail.records.map((record) => Number(decodeText(record))) }
}

function learned(...objects: [from: number, end: number][]): { end: number; records: number[] } | undefined {
  const tails = new Tails()
  for (const [from, end] of objects) tails.learn('log', object(from, end))
  return known(tails)
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('what a handle knows of the end of a log', () => {
  test.each<{ name: string; objects: [number, number][]; end: number; records: number[] }>([
    { name: 'one object', objects: [[68, 70]], end: 70, records: [68, 69] },
    {
      name: 'one after the other',
      objects: [
        [64, 66],
        [66, 67],
        [67, 70],
      ],
      end: 70,
      records: range(64, 70),
    },
    {
      name: 'one that repeats',
      objects: [
        [64, 67],
        [65, 70],
      ],
      end: 70,
      records: range(64, 70),
    },
    {
      name: 'one that repeats more than was known',
      objects: [
        [66, 67],
        [64, 70],
      ],
      end: 70,
      records: range(64, 70),
    },
    {
      name: 'an older one fills up',
      objects: [
        [68, 70],
        [64, 68],
      ],
      end: 70,
      records: range(64, 70),
    },
    {
      name: 'an older one that overlaps fills up',
      objects: [
        [68, 70],
        [64, 69],
      ],
      end: 70,
      records: range(64, 70),
    },
    {
      name: 'a newer one behind a gap: what was known is of no use',
      objects: [
        [64, 66],
        [68, 70],
      ],
      end: 70,
      records: [68, 69],
    },
    {
      name: 'an older one before a gap is of no use',
      objects: [
        [68, 70],
        [64, 66],
      ],
      end: 70,
      records: [68, 69],
    },
    {
      name: 'an old one again',
      objects: [
        [64, 70],
        [64, 66],
      ],
      end: 70,
      records: range(64, 70),
    },
    { name: 'nothing from before the block', objects: [[10, 70]], end: 70, records: range(64, 70) },
    { name: 'nothing at the end of a block', objects: [[10, 64]], end: 64, records: [] },
    {
      name: 'an empty log',
      objects: [
        [0, 0],
        [0, 3],
      ],
      end: 3,
      records: [0, 1, 2],
    },
  ])('$name', ({ objects, end, records }) => expect(learned(...objects)).toEqual({ end, records }))

  test('is kept for the 64 logs that were used last', () => {
    const tails = new Tails()
    for (let i = 0; i < 64; i++) tails.learn(`log/${i}`, object(0, 1))
    tails.get('log/0')
    tails.learn('log/new', object(0, 1))
    expect([known(tails, 'log/0'), known(tails, 'log/1'), known(tails, 'log/new')]).toEqual([
      { end: 1, records: [0] },
      undefined,
      { end: 1, records: [0] },
    ])
    tails.forget('log/0')
    expect(known(tails, 'log/0')).toBeUndefined()
  })

  test('does not keep the bodies alive that it came from', () => {
    const body = encodeText('0123456789')
    const tails = new Tails()
    tails.learn('log', { from: 0, end: 2, records: [body.subarray(2, 4), body.subarray(4, 6)] })
    expect(tails.get('log')?.records.map((record) => [decodeText(record), record.buffer.byteLength])).toEqual([
      ['23', 2],
      ['45', 2],
    ])
  })
})

test('an object repeats whole records of at most 256 KiB', () => {
  const sizes = (records: readonly Uint8Array[]) => records.map(({ length }) => length)
  const records = [10, 200_000, 100_000, 150_000, 12_144, 0].map((size) => new Uint8Array(size))
  expect(sizes(lastWithin(records, 63))).toEqual([100_000, 150_000, 12_144, 0])
  expect(sizes(lastWithin(records, 2))).toEqual([12_144, 0])
  expect(sizes(lastWithin([...records, new Uint8Array(1)], 63))).toEqual([150_000, 12_144, 0, 1])
  expect(lastWithin([new Uint8Array(262_145)], 63)).toEqual([])
  expect(lastWithin(records, 0)).toEqual([])
})
