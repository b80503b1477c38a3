import { crc32 } from 'node:zlib'
import { MAX_BATCH_RECORDS, MAX_RECORD_BYTES } from '@sessiontree/core'

/**
 * What a line carries: a record or a value, the tombstone of a document, or the name of the file in which this one goes on
 * (a seal).
 */
export type Body = 'record' | 'removed' | 'next'

/** What every line of one batch says about it. */
export interface BatchHead {
  /** The index of its first line. */
  readonly at: number
  /** The byte offset at which its writer expected it to start. */
  readonly pos: number
  /** Who wrote it: random, never used again for another file. */
  readonly by: string
  readonly body: Body
}

/** A batch that counts: it starts at the byte it names, is complete, unbroken and undamaged. */
export interface Batch extends BatchHead {
  /** The index after its last line. */
  readonly next: number
  /** The byte offset after its last line. */
  readonly end: number
  /** The JSON texts of its lines. */
  readonly texts: () => string[]
}

/** What a stretch of a file says. */
export interface Decoded {
  /** The batches that count, in file order. */
  readonly batches: readonly Batch[]
  /** The offset from which nothing is decided yet: an unfinished batch or an unterminated line, or the end. */
  readonly undecided: number
}

/** One line: its head, and where in the bytes it and its text stand. */
export interface Line extends BatchHead {
  readonly more: number
  readonly start: number
  readonly from: number
  readonly to: number
}

/**
 * The start of the next write behind an unterminated tail: it spoils a torn line, which then can neither be completed nor fuse
 * with what follows, and is a line of its own if the tail was only a slow write.
 */
export const SPOILER = 'null\n'

export const LINE_FEED = 10
/** How every line starts. */
export const LINE_START = '{"at":'
const HEAD = /^\{"at":(0|[1-9]\d*),"pos":(0|[1-9]\d*),"more":(0|[1-9]\d*),"by":"([\w-]+)","(record|removed|next)":/
// Fifteen digits for `at`, sixteen for `pos`, four for `more`, and names in between.
const LONGEST_HEAD = 160
const TAIL_LENGTH = ',"crc":"01234567"}'.length
/** No batch, and so no line, has more bytes. */
export const LARGEST_BATCH: number = MAX_RECORD_BYTES + MAX_BATCH_RECORDS * (LONGEST_HEAD + TAIL_LENGTH + 1)

const tail = (crc: number) => `,"crc":"${crc.toString(16).padStart(8, '0')}"}`

/** Writes one batch, a line for each text. */
export function encodeBatch({ at, pos, by, body }: BatchHead, texts: readonly string[]): Buffer {
  const lines = texts.map((text, i) => {
    const line = `{"at":${at + i},"pos":${pos},"more":${texts.length - 1 - i},"by":"${by}","${body}":${text}`
    return `${line}${tail(crc32(line))}\n`
  })
  return Buffer.from(lines.join(''))
}

/** Where a stretch of a file begins. */
export type Beginning =
  /** At the start of a line. */
  | 'line'
  /** Somewhere in a line, which is passed over. */
  | 'inside'
  /** Somewhere in what is longer than any line: whatever starts in its own place is a line. */
  | 'void'

/**
 * Finds the batches that count in a stretch of a file which starts at `offset`.
 *
 * Contract
 * - A batch counts by itself: whether it does, no byte before or after it can change. So any two readers agree, also one that
 *   starts in the middle or reads backwards.
 * - Whatever is neither part of such a batch nor `undecided` is void for ever.
 */
export function decode(bytes: Buffer, offset: number, beginning: Beginning = 'line'): Decoded {
  const batches: Batch[] = []
  let open: OpenBatch | undefined
  let start = 0
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
    const line = start > 0 || beginning !== 'inside' ? lineBefore(bytes, start, end, offset) : undefined
    if (line && open && continues(line, open.head, open.lines.length)) open.lines.push(line)
    else open = line?.pos === offset + (line?.start ?? 0) ? { head: line, lines: [line] } : undefined
    start = end + 1
    if (line?.more === 0 && open) {
      batches.push(closeBatch(bytes, open, offset + start))
      open = undefined
    }
  }
  if (open) return { batches, undecided: offset + open.head.start }
  return { batches, undecided: offset + (start === 0 && beginning === 'void' ? ownPlaceIn(bytes, offset) : start) }
}

/**
 * The undamaged line in front of a line feed. Where it is not the whole stretch from `start` on, it stands in its own place: writers
 * leave that only behind a line feed, so that one was damaged, and takes its own line along but not the next.
 */
function lineBefore(bytes: Buffer, start: number, end: number, offset: number): Line | undefined {
  const whole = parseLine(bytes, start, end)
  if (whole) return whole
  for (const at of lineStarts(bytes, start + 1, end)) {
    const line = parseLine(bytes, at, end, offset + at)
    if (line) return line
  }
  return undefined
}

/** Where a line may begin between two places. */
export function* lineStarts(bytes: Buffer, start: number, end: number): Generator<number> {
  const stretch = bytes.subarray(0, end)
  for (let at = stretch.indexOf(LINE_START, start); at >= 0; at = stretch.indexOf(LINE_START, at + 1)) yield at
}

/** Where, in a stretch without a line feed, a line may have begun in its own place: at the latest where its head is cut off. */
function ownPlaceIn(bytes: Buffer, offset: number): number {
  for (const at of lineStarts(bytes, 0, bytes.length)) {
    const isCut = bytes.length - at < LONGEST_HEAD
    if (isCut || Number(headAt(bytes, at, bytes.length)?.[2]) === offset + at) return at
  }
  return Math.max(0, bytes.length - LINE_START.length)
}

interface OpenBatch {
  readonly head: Line
  readonly lines: Line[]
}

/** Whether a line belongs to the batch that `head` began, behind `count` lines of it. */
export function continues(line: Line, head: Line, count: number): boolean {
  const { pos, by, body, at, more } = head
  const same = line.pos === pos && line.by === by && line.body === body
  return same && line.at === at + count && line.more === more - count
}

function closeBatch(bytes: Buffer, { head, lines }: OpenBatch, end: number): Batch {
  const { at, pos, by, body } = head
  const texts = () => lines.map(({ from, to }) => bytes.toString('utf8', from, to))
  return { at, pos, by, body, next: at + lines.length, end, texts }
}

function headAt(bytes: Buffer, start: number, end: number): RegExpExecArray | null {
  return HEAD.exec(bytes.toString('latin1', start, Math.min(start + LONGEST_HEAD, end)))
}

/** The undamaged line between two places, if there is one; with `place`, only if it names that. */
export function parseLine(bytes: Buffer, start: number, end: number, place?: number): Line | undefined {
  const to = end - TAIL_LENGTH
  if (to <= start) return undefined
  const head = headAt(bytes, start, to)
  if (!head || (place !== undefined && Number(head[2]) !== place)) return undefined
  if (bytes.toString('latin1', to, end) !== tail(crc32(bytes.subarray(start, to)))) return undefined
  const [text, at, pos, more, by, body] = head as unknown as [string, string, string, string, string, Body]
  return { at: Number(at), pos: Number(pos), more: Number(more), by, body, start, from: start + text.length, to }
}
