import { crc32 } from 'node:zlib'

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
  /** Whether the stretch ends without a line feed. */
  readonly unterminated: boolean
}

/**
 * The start of the next write behind an unterminated tail: it spoils a torn line, which then can neither be completed nor fuse
 * with what follows, and is a line of its own if the tail was only a slow write.
 */
export const SPOILER = 'null\n'

const LINE_FEED = 10
const HEAD = /^\{"at":(0|[1-9]\d*),"pos":(0|[1-9]\d*),"more":(0|[1-9]\d*),"by":"([\w-]+)","(record|removed|next)":/
// Fifteen digits for `at`, sixteen for `pos`, four for `more`, and names in between.
const LONGEST_HEAD = 160
const TAIL_LENGTH = ',"crc":"01234567"}'.length

const tail = (crc: number) => `,"crc":"${crc.toString(16).padStart(8, '0')}"}`

/** Writes one batch, a line for each text. */
export function encodeBatch({ at, pos, by, body }: BatchHead, texts: readonly string[]): Buffer {
  const lines = texts.map((text, i) => {
    const line = `{"at":${at + i},"pos":${pos},"more":${texts.length - 1 - i},"by":"${by}","${body}":${text}`
    return `${line}${tail(crc32(line))}\n`
  })
  return Buffer.from(lines.join(''))
}

/**
 * Finds the batches that count in a stretch of a file which starts at `offset`, the start of a line.
 *
 * Contract
 * - A batch counts by itself: whether it does, no byte before or after it can change. So any two readers agree, also one that
 *   starts in the middle or reads backwards.
 * - Whatever is neither part of such a batch nor `undecided` is void for ever.
 */
export function decode(bytes: Buffer, offset: number): Decoded {
  const batches: Batch[] = []
  let open: OpenBatch | undefined
  let start = 0
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
    const line = parseLine(bytes, start, end)
    if (line && open && continues(line, open)) open.lines.push(line)
    else open = line?.pos === offset + start ? { head: line, start, lines: [line] } : undefined
    start = end + 1
    if (line?.more === 0 && open) {
      batches.push(closeBatch(bytes, open, offset + start))
      open = undefined
    }
  }
  return { batches, undecided: offset + (open ? open.start : start), unterminated: start < bytes.length }
}

/**
 * Whether a stretch without a batch that counts, from `offset` up to the end of its file, holds damage: something that no write leaves
 * behind, be it torn, spoiled, displaced, or fused with a torn one before it.
 */
export function isDamaged(bytes: Buffer, offset: number): boolean {
  let start = 0
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
    if (
      !bytes
        .subarray(start, end + 1)
        .toString('latin1')
        .endsWith(SPOILER) &&
      !endsInDisplacedLine(bytes, start, end, offset)
    )
      return true
    start = end + 1
  }
  // A torn line lacks its end; this one has another byte in place of its line feed.
  return parseLine(bytes, start, bytes.length - 1) !== undefined
}

interface Line extends BatchHead {
  readonly more: number
  readonly from: number
  readonly to: number
}

interface OpenBatch {
  readonly head: Line
  readonly start: number
  readonly lines: Line[]
}

function continues(line: Line, { head, lines }: OpenBatch): boolean {
  const { pos, by, body, at, more } = head
  const same = line.pos === pos && line.by === by && line.body === body
  return same && line.at === at + lines.length && line.more === more - lines.length
}

function closeBatch(bytes: Buffer, { head, lines }: OpenBatch, end: number): Batch {
  const { at, pos, by, body } = head
  const texts = () => lines.map(({ from, to }) => bytes.toString('utf8', from, to))
  return { at, pos, by, body, next: at + lines.length, end, texts }
}

function parseLine(bytes: Buffer, start: number, end: number): Line | undefined {
  const to = end - TAIL_LENGTH
  if (to <= start) return undefined
  const head = HEAD.exec(bytes.toString('latin1', start, Math.min(start + LONGEST_HEAD, to)))
  if (!head || bytes.toString('latin1', to, end) !== tail(crc32(bytes.subarray(start, to)))) return undefined
  const [text, at, pos, more, by, body] = head as unknown as [string, string, string, string, string, Body]
  return { at: Number(at), pos: Number(pos), more: Number(more), by, body, from: start + text.length, to }
}

/** Whether it ends in a line that was meant for another place: torn bytes came in its way. One in its own place lost its line feed. */
function endsInDisplacedLine(bytes: Buffer, start: number, end: number, offset: number): boolean {
  for (let at = start; at >= start && at < end; at = bytes.indexOf('{"at":', at + 1)) {
    const line = parseLine(bytes, at, end)
    if (line) return line.pos !== offset + at
  }
  return false
}
