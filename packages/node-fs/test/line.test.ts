import { describe, expect, test } from 'vitest'
import { decode, encodeBatch } from '../src/line.ts'
import { indexed, MemoryFile } from './memory-file.ts'

/** What one writer sent: where it believed the file to end, and how many bytes of it arrived. */
interface Write {
  readonly by: string
  readonly at: number
  readonly texts: readonly string[]
  /** Default: the end of the file, behind the spoiler. */
  readonly pos?: number
  readonly spoiler?: boolean
  /** From and to which byte of the write; default all. */
  readonly cut?: readonly [from: number, to: number]
}

function write(file: Buffer, { by, at, texts, spoiler = false, cut, ...rest }: Write): Buffer {
  const prefix = Buffer.from(spoiler ? 'null\n' : '')
  const pos = rest.pos ?? file.length + prefix.length
  const bytes = Buffer.concat([prefix, encodeBatch({ at, pos, by, body: 'record' }, texts)])
  return Buffer.concat([file, bytes.subarray(...(cut ?? []))])
}

const written = (...writes: Write[]) => writes.reduce(write, Buffer.alloc(0))
const sizeOf = (of: Write, pos: number) => write(Buffer.alloc(0), { ...of, pos }).length

const base: readonly Write[] = [0, 1, 2].map((i) => ({ by: 'base', at: i, texts: [`"base ${i}"`] }))
const start = written(...base)
const end = start.length
const three: [number, string][] = [0, 1, 2].map((i) => [i, `"base ${i}"`])

const forward = (bytes: Buffer) => indexed(decode(bytes, 0).batches)
/** Backwards in windows so small that most batches start before the window in which they end. */
function backward(bytes: Buffer, window = 100): [number, string][] {
  const pages = [...new MemoryFile(bytes).open().backward(bytes.length, window)]
  return indexed(pages.toReversed().flat())
}

interface Schedule {
  readonly what: string
  readonly file: Buffer
  /** What every reader finds. */
  readonly expected: readonly (readonly [at: number, text: string])[]
}

const single = (by: string, at = 3): Write => ({ by, at, texts: [`"${by}${at}"`] })
const stale = (of: Write): Write => ({ ...of, pos: end })
const length = sizeOf(single('A'), end)
const pair = (by: string): Write => ({ by, at: 3, texts: [`"${by}3"`, `"${by}4"`] })
const firstOfPair = sizeOf({ by: 'B', at: 3, texts: ['"B3"'] }, end)
const long = (i: number) => JSON.stringify({ i, padding: 'x'.repeat(900) })
const build = (...writes: Write[]) => writes.reduce(write, start)

const schedules: readonly Schedule[] = [
  {
    what: '1: A lacks only its line feed; B spoils it',
    file: build({ ...single('A'), cut: [0, length - 1] }, { ...single('B'), spoiler: true }),
    expected: [...three, [3, '"B3"']],
  },
  {
    what: '2: A wins 3; the stale pair of B names the place of A',
    file: build(single('A'), stale(pair('B'))),
    expected: [...three, [3, '"A3"']],
  },
  {
    what: '3: A wins 3; the stale pair of B is cut after its first line; C appends 4',
    file: build(single('A'), { ...stale(pair('B')), cut: [0, firstOfPair] }, single('C', 4)),
    expected: [...three, [3, '"A3"'], [4, '"C4"']],
  },
  {
    what: '4: A wins 3; X is torn in its line; the stale pair of B fuses with it',
    file: build(single('A'), { ...single('X', 4), cut: [0, 20] }, stale(pair('B'))),
    expected: [...three, [3, '"A3"']],
  },
  {
    what: '5: the pair of a slow A arrives around the 3 of B',
    file: build({ ...pair('A'), cut: [0, firstOfPair] }, single('B'), {
      ...stale(pair('A')),
      cut: [firstOfPair, Infinity],
    }),
    expected: [...three, [3, '"B3"']],
  },
  {
    what: '6: two writers race with equal texts',
    file: build({ ...single('A'), texts: ['"same"'] }, { ...stale(single('B')), texts: ['"same"'] }),
    expected: [...three, [3, '"same"']],
  },
  {
    what: '7: a writer that did not see the drop names a place in the old file',
    file: written({ ...single('A', 3), pos: end }),
    expected: [],
  },
  {
    what: '8: the line of the winner is damaged after the loser was refused',
    file: ((bytes) => (bytes.write('#', end + 60), bytes))(build(single('A'), stale(single('B')))),
    expected: three,
  },
  {
    what: '9: the digit of more is flipped',
    file: Buffer.from(build(pair('A')).toString().replace('"more":1', '"more":0')),
    expected: three,
  },
  {
    what: '9: the digit of at is flipped',
    file: Buffer.from(build(single('A')).toString().replace('"at":3', '"at":4')),
    expected: three,
  },
  {
    what: '10: a text with a raw line feed, which core refuses, is void and takes nothing along',
    file: build({ ...single('A'), texts: ['{\n}'] }, single('B')),
    expected: [...three, [3, '"B3"']],
  },
  {
    what: '11: stale lines of 3 and 4 land behind A3 and A4',
    file: build(
      single('A'),
      single('A', 4),
      stale(single('Z')),
      {
        ...single('B', 4),
        pos: end + length,
      },
      single('C', 5),
    ),
    expected: [...three, [3, '"A3"'], [4, '"A4"'], [5, '"C5"']],
  },
]

describe('the schedules that broke simpler rules', () => {
  for (const { what, file, expected } of schedules) {
    test(what, () => {
      expect(forward(file)).toEqual(expected)
      expect(backward(file)).toEqual(expected)
      expect(backward(file, 7)).toEqual(expected)
    })
    test(`${what}; a reader at every earlier moment saw a prefix`, () => {
      for (let size = 0; size <= file.length; size++) {
        const seen = forward(file.subarray(0, size))
        expect(seen).toEqual(expected.slice(0, seen.length))
        expect(backward(file.subarray(0, size))).toEqual(seen)
      }
    })
  }

  test('12: a stale batch of 40 among 100 records misleads no search', () => {
    let file: Buffer = Buffer.alloc(0)
    for (let at = 0; at < 100; at++) {
      file = write(file, { by: 'A', at, texts: [long(at)] })
      if (at !== 60) continue
      const late = Array.from({ length: 40 }, (_, i) => JSON.stringify({ stale: i, padding: 'x'.repeat(900) }))
      file = write(file, { by: 'B', at: 5, texts: late, pos: 40 })
    }
    const opened = new MemoryFile(file).open()
    for (let at = 0; at < 100; at++)
      expect(indexed([opened.find(at)].filter((batch) => batch !== undefined))).toEqual([[at, long(at)]])
    expect(opened.find(100)).toBeUndefined()
  })
})

describe('what is not decided yet', () => {
  test.each([
    ['an unfinished batch', build({ ...pair('A'), cut: [0, firstOfPair] }), end, false],
    ['an unfinished batch and a torn line', build({ ...pair('A'), cut: [0, firstOfPair + 9] }), end, true],
    ['a torn line', build({ ...single('A'), cut: [0, 9] }), end, true],
    ['a line without its line feed', build({ ...single('A'), cut: [0, length - 1] }), end, true],
    ['nothing', start, end, false],
    ['an empty file', Buffer.alloc(0), 0, false],
  ] as const)('%s', (_what, file, undecided, isUnterminated) => {
    expect(decode(file, 0)).toMatchObject({ undecided })
    expect(tailOf(file)).toEqual({ damagedAt: undefined, isUnclear: false, isUnwritten: false, isUnterminated })
  })

  test.each([
    ['of another writer', { by: 'B' }, 0],
    ['of another place', { pos: end - 1 }, 0],
    ['of another index', { at: 5 }, 0],
    ['of a longer batch', {}, 1],
  ])('a batch is not continued by a line %s', (_what, change, more) => {
    const second: Write = { ...stale(pair('A')), at: 4, texts: ['"A4"', ...Array.from({ length: more }, () => '1')] }
    const first = build({ ...pair('A'), cut: [0, firstOfPair] })
    expect(forward(write(first, { ...second, ...change }))).toEqual(three)
    expect(forward(write(first, { ...second, texts: ['"A4"'] }))).toHaveLength(5)
  })

  test('a batch that waits is void for ever once something else follows', () => {
    const file = build({ ...pair('A'), cut: [0, firstOfPair] }, single('B'))
    expect(decode(file, 0).undecided).toBe(file.length)
    const late = write(file, { ...stale(pair('A')), cut: [firstOfPair, Infinity] })
    expect(forward(late)).toEqual([...three, [3, '"B3"']])
  })
})

test('the line is the documented one', () => {
  const [line] = encodeBatch({ at: 17, pos: 12345, by: 'h7Kq2a0-', body: 'record' }, ['{"a":1}']).toString().split('\n')
  expect(line).toBe(
    '{"at":17,"pos":12345,"more":0,"by":"h7Kq2a0-","record":{"a":1},"crc":"CRC"}'.replace('CRC', line!.slice(-10, -2)),
  )
  expect(line!.slice(-10, -2)).toMatch(/^[0-9a-f]{8}$/)
  const removed = encodeBatch({ at: 1, pos: 0, by: 'x', body: 'removed' }, ['true']).toString()
  expect(JSON.parse(removed)).toMatchObject({ at: 1, more: 0, removed: true })
  const next = encodeBatch({ at: 1, pos: 0, by: 'x', body: 'next' }, ['"a.jsonl+1+z"']).toString()
  expect(JSON.parse(next)).toMatchObject({ next: 'a.jsonl+1+z' })
})

describe('behind the last batch that counts, damage is told from what writers leave behind', () => {
  const whole = build(single('A'))
  const twice = build(pair('A'))

  test('a flip of any byte of the last line, also of its line feed, leaves the length where it was', () => {
    for (let at = end; at < whole.length; at++) {
      expect([at, tailOf(flip(whole, at))]).toMatchObject([at, { damagedAt: end, isUnclear: false }])
    }
  })

  test('a flip of any byte in a last batch of two makes the length unclear', () => {
    for (let at = end; at < twice.length; at++) {
      expect([at, tailOf(flip(twice, at))]).toMatchObject([at, { isUnclear: true }])
    }
  })

  test('writes of others that were cut at any byte, alone, spoiled, or fused with a displaced one, are no damage', () => {
    const sound = { damagedAt: undefined, isUnclear: false }
    for (let size = end; size <= twice.length; size++) {
      const torn = twice.subarray(0, size)
      const files = [
        torn,
        write(torn, { ...single('B'), spoiler: true, cut: [0, 3] }),
        write(torn, { ...single('B'), spoiler: true, cut: [0, 9] }),
        write(torn, { ...pair('B'), pos: 7, spoiler: true }),
      ]
      // Behind a line feed it would stand in its own place.
      if (size > end)
        files.push(write(torn, stale(pair('B'))), write(write(torn, stale(pair('B'))), stale(single('C'))))
      for (const file of files) expect([size, tailOf(file)]).toMatchObject([size, sound])
    }
  })

  test('a line feed between two lines takes the first along, not the second', () => {
    const fused = flip(build(single('A'), single('B', 4)), whole.length - 1)
    expect(forward(fused)).toEqual([...three, [4, '"B4"']])
    for (const window of [7, 64, 100, 1000]) expect(backward(fused, window)).toEqual([...three, [4, '"B4"']])
    expect(tailOf(fused)).toMatchObject({ damagedAt: undefined, isUnclear: false })
  })

  test.each([
    ['bytes that never arrived behind what nobody writes', Buffer.from(`x${'\0'.repeat(300)}`), end, false],
    ['bytes that never arrived, with something else behind them', Buffer.from(`${'\0'.repeat(30)}x\n`), end, false],
    ['what somebody else wrote', Buffer.from('hello\n'), end, false],
    [
      'a line behind records that are gone',
      Buffer.from(`null\n${twice.toString('latin1', end + firstOfPair)}`),
      end + 5,
      true,
    ],
    [
      'a first line without the next one',
      Buffer.from(`${twice.toString('latin1', end, end + firstOfPair)}x\n`),
      end + firstOfPair,
      true,
    ],
  ])('%s', (_what, bytes, damagedAt, isUnclear) => {
    expect(tailOf(Buffer.concat([start, bytes]))).toMatchObject({ damagedAt, isUnclear })
  })
})

describe('what never reached the disk before the machine crashed', () => {
  const large = (at: number): Write => ({ by: 'L', at, texts: Array.from({ length: 3 }, () => `"${'x'.repeat(700)}"`) })
  const whole = build(large(3))

  /** The file after a crash in which these sectors of what followed `end` were not written. */
  function without(...sectors: number[]): Buffer {
    const bytes = Buffer.from(whole)
    for (const sector of sectors) bytes.fill(0, Math.max(end, sector * 512), Math.min(bytes.length, (sector + 1) * 512))
    return bytes
  }

  const nobodyTold = { damagedAt: undefined, isUnclear: false, isUnwritten: true }

  /** What is damaged where acknowledged writes are flushed, and where they need not be. */
  function tails(file: Buffer) {
    return [tailOf(file), tailOf(file, false)]
  }

  test.each([[0], [1], [2], [0, 1], [1, 3], [0, 1, 2, 3, 4, 5]])(
    'sectors %j: what writers leave, unless they promised less; no reason to refuse',
    (...sectors) => {
      const file = without(...sectors)
      expect(forward(file)).toEqual(three)
      // A first line that is whole was torn off: what is damaged is the next.
      const damagedAt = sectors[0] === 0 || sectors[0] === 1 ? end : (expect.any(Number) as number)
      expect(tails(file)).toMatchObject([nobodyTold, { damagedAt, isUnclear: false, isUnwritten: true }])
    },
  )

  test('at any size, and behind it whatever writers leave, also if they crash again', () => {
    for (let size = end + 1; size < end + 1100; size++) {
      const torn = without(0, 2).subarray(0, size)
      const spoiled = write(torn, { ...large(3), by: 'M', spoiler: true })
      for (const more of [0, 1, 3, 5, 100, 1500]) {
        const file = spoiled.subarray(0, size + more)
        expect([size, more, tailOf(file)]).toMatchObject([size, more, nobodyTold])
        const again = write(file, { ...single('N'), spoiler: file.at(-1) !== 10 })
        expect([size, more, forward(again)]).toEqual([size, more, [...three, [3, '"N3"']]])
        const unwritten = Buffer.from(file).fill(0, Math.min(file.length, Math.ceil(size / 512) * 512))
        expect([size, more, tailOf(unwritten)]).toMatchObject([size, more, nobodyTold])
      }
    }
  })

  test('up to the write of one who had seen them, before the system let go of them, is no damage', () => {
    const lost = Buffer.from(whole).fill(0, end)
    for (const cut of [1, 3, 40, length - 1, Infinity]) {
      // In its own place a whole one would count.
      const late = { ...single('B', 3), pos: lost.length - 1, cut: [0, cut] as const }
      expect(tailOf(write(lost, late))).toMatchObject(nobodyTold)
    }
  })

  test('is not the same as bytes that were overwritten', () => {
    const file = Buffer.from(whole).fill(0, end + 900, end + 1000)
    expect(tailOf(file)).toMatchObject({ isUnclear: true, isUnwritten: false })
    const both = without(1)
    both.write('#', end + 60)
    expect(tailOf(Buffer.concat([both, Buffer.from('hello\n')]))).toMatchObject({ isUnwritten: false })
  })
})

function tailOf(bytes: Buffer, isDurable = true) {
  const file = new MemoryFile(bytes).open('log', isDurable)
  file.look()
  return file.tail
}

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
  return copy
}
