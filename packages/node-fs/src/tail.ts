import { continues, LINE_FEED, LINE_START, lineStarts, parseLine, SPOILER, type Line } from './line.ts'

/** What stands behind the last batch of a file that counts. */
export interface Tail {
  /** The offset of the first byte that no writer leaves behind; undefined if torn, spoiled and displaced writes explain all. */
  readonly damagedAt: number | undefined
  /** Whether more than the last batch may be hit: then nobody can tell how many records there are. */
  readonly isUnclear: boolean
  /** Whether all that no writer leaves in it is bytes that did not reach the disk before the machine crashed. */
  readonly isUnwritten: boolean
  /** Whether it ends without a line feed. */
  readonly isUnterminated: boolean
}

export const EMPTY_TAIL: Tail = Object.freeze({
  damagedAt: undefined,
  isUnclear: false,
  isUnwritten: false,
  isUnterminated: false,
})

// No disk writes less at once.
const SECTOR = 512

const SPOILED = Buffer.from(SPOILER.slice(0, -1))

/**
 * Goes through the bytes behind the last batch that counts, line by line, and tells what writers leave behind from damage.
 *
 * A write arrives whole, or its beginning does. So a line feed stands behind an undamaged line or a `null`; a line behind anything but a
 * line feed was meant for another place; a stretch begins as a write does; and whoever begins a batch at an index had seen all
 * records before it. What breaks one of these was damaged. `docs/decisions/0002-node-fs.md` has the proof.
 */
export class TailExamination {
  readonly #length: number
  readonly #isDurable: boolean
  #damagedAt: number | undefined
  #unwrittenAt: number | undefined
  #isUnclear = false
  #isUnterminated = false
  /** The batch that the line before this one belongs to, unless that was its last. */
  #batch: { readonly head: Line; readonly inPlace: boolean; lines: number } | undefined

  /** `length`: how many records count before it. `isDurable`: whether nobody was told of bytes that were not flushed. */
  constructor(length: number, isDurable: boolean) {
    this.#length = length
    this.#isDurable = isDurable
  }

  get result(): Tail {
    const [damagedAt, unwrittenAt] = [this.#damagedAt, this.#unwrittenAt]
    return {
      damagedAt:
        unwrittenAt === undefined || this.#isDurable ? damagedAt : Math.min(damagedAt ?? Infinity, unwrittenAt),
      isUnclear: this.#isUnclear,
      isUnwritten: unwrittenAt !== undefined && damagedAt === undefined,
      isUnterminated: this.#isUnterminated,
    }
  }

  /** Takes a stretch that begins with a line, the last one up to the end of the file; returns how many bytes it has gone through. */
  take(bytes: Buffer, offset: number, isLast: boolean): number {
    let start = 0
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      this.#line(bytes, start, end, offset)
      start = end + 1
    }
    if (!isLast || start === bytes.length) return start
    this.#isUnterminated = true
    // A torn line lacks its end; this one has another byte in place of its line feed.
    if (parseLine(bytes, start, bytes.length - 1)) this.damage(offset + start)
    else if (!beginsAsWrite(bytes, start, bytes.length)) {
      // Nothing behind it says that more of it was there.
      this.#batch = undefined
      this.#damageOf(bytes, { start, end: bytes.length, offset })
    }
    return bytes.length
  }

  /** Notes that the line at this offset is damaged. */
  damage(offset: number): void {
    // The end of this batch has arrived, and is damaged: it counted, with the lines before. And two damaged lines are not one last batch.
    const isMore = this.#batch?.inPlace === true || this.#damagedAt !== undefined
    if (this.#unwrittenAt === undefined && isMore) this.#isUnclear = true
    this.#damagedAt ??= offset
    this.#batch = undefined
  }

  #damageOf(bytes: Buffer, stretch: Stretch): void {
    if (!hasUnwritten(bytes, stretch)) return this.damage(stretch.offset + stretch.start)
    this.#unwrittenAt ??= stretch.offset + stretch.start
    this.#batch = undefined
  }

  #line(bytes: Buffer, start: number, end: number, offset: number): void {
    const line = lastLine(bytes, start, end)
    if (!line) {
      const spoiler = end - SPOILED.length
      const isSpoiled = spoiler >= start && bytes.subarray(spoiler, end).equals(SPOILED)
      if (isSpoiled && beginsAsWrite(bytes, start, spoiler)) this.#batch = undefined
      else this.#damageOf(bytes, { start, end, offset })
      return
    }
    const fused = line.start > start
    const inPlace = line.pos === offset + line.start
    // What is torn begins as a write and stops anywhere, but not one byte behind the end of a line.
    const isTorn = beginsAsWrite(bytes, start, line.start) && !parseLine(bytes, start, line.start - 1)
    if (fused && (inPlace || !isTorn)) this.#damageOf(bytes, { start, end: line.start, offset, line: end })
    if (this.#batch && continues(line, this.#batch.head, this.#batch.lines)) {
      this.#batch.lines++
    } else {
      if (line.at > this.#length && this.#unwrittenAt === undefined) {
        this.#damagedAt ??= offset + start
        this.#isUnclear = true
      }
      this.#batch = { head: line, inPlace, lines: 1 }
    }
    if (line.more === 0) this.#batch = undefined
  }
}

interface Stretch {
  readonly start: number
  readonly end: number
  readonly offset: number
  /** Where the line ends that follows it at once. */
  readonly line?: number
}

/**
 * Whether a stretch holds what a file has grown by without being written: NULs up to the edge of a sector, up to the end, or up to the
 * next write. They stand where a write did, so what is before the first begins as one.
 */
function hasUnwritten(bytes: Buffer, { start, end, offset, line = end }: Stretch): boolean {
  const first = bytes.indexOf(0, start)
  if (first < 0 || first >= end || !beginsAsWrite(bytes, start, first)) return false
  for (let from = first; from >= 0 && from < end; from = bytes.indexOf(0, from)) {
    while (from < end && bytes[from] === 0) from++
    if (from === bytes.length || (offset + from) % SECTOR === 0 || (from < line && beginsAsWrite(bytes, from, line)))
      return true
  }
  return false
}

/** The undamaged line that ends in front of a line feed, wherever it starts. */
function lastLine(bytes: Buffer, start: number, end: number): Line | undefined {
  for (const at of [start, ...lineStarts(bytes, start + 1, end)]) {
    const line = parseLine(bytes, at, end)
    if (line) return line
  }
  return undefined
}

const BEGINNINGS = [Buffer.from(LINE_START), SPOILED]

/** Whether a stretch without a line feed could be the beginning of a write, or of several that were torn one behind the other. */
function beginsAsWrite(bytes: Buffer, start: number, end: number): boolean {
  while (start < end) {
    const length = Math.max(...BEGINNINGS.map((beginning) => commonLength(bytes.subarray(start, end), beginning)))
    if (length === 0 || length === LINE_START.length) return length > 0
    start += length
  }
  return true
}

function commonLength(a: Buffer, b: Buffer): number {
  const different = b.findIndex((byte, i) => byte !== a[i])
  return different < 0 ? b.length : different
}
