import { CorruptError } from '@sessiontree/core'
import type { FileSystem } from './file-system.ts'
import { Bracket, PROBE, SCAN } from './bracket.ts'
import { decode, LARGEST_BATCH, LINE_FEED, parseLine, type Batch, type Beginning } from './line.ts'
import { TailExamination, type Tail } from './tail.ts'

// How much is read at first, and how much at most where whole batches fit.
const WINDOW = 64 * 1024
const LARGEST_WINDOW = 1024 * 1024

const NOTHING: Buffer = Buffer.alloc(0)

/** What a {@link LineReader} is made of. */
export interface LineReaderOptions {
  readonly path: string
  /** Of the log or document, for messages. */
  readonly name: string
  readonly size: number
  /** Whether whoever writes to it is told of success only when the bytes would survive the machine. */
  readonly isDurable: boolean
}

interface Stretch {
  readonly window: number
  readonly known: Buffer
}

interface Page {
  readonly batches: readonly Batch[]
  /** The bytes before the first of them, as far as they were read. */
  readonly before: Buffer
}

/**
 * Finds the batches that count in an open file, wherever it is asked to look: nothing of it is remembered. Holds little more than the
 * largest of them, and never more than two that are as large as a batch may be, whatever else is in the file.
 */
export class LineReader {
  readonly path: string
  /** The size when it was last looked at. */
  size: number
  readonly #system: FileSystem
  readonly #file: number
  readonly #name: string
  readonly #isDurable: boolean

  constructor(system: FileSystem, file: number, { path, name, size, isDurable }: LineReaderOptions) {
    this.#system = system
    this.#file = file
    this.path = path
    this.#name = name
    this.#isDurable = isDurable
    this.size = size
  }

  /**
   * The batches that count between two offsets, a window at a time, oldest first. `from` is the start of a line; `known` what was read
   * behind it already.
   */
  *forward(from: number, to: number, window: number = WINDOW, known: Buffer = NOTHING): Generator<readonly Batch[]> {
    let beginning: Beginning = 'line'
    let bytes = known
    while (from < to) {
      const end = Math.min(to, from + window)
      bytes = this.#upTo(end, bytes, from)
      const { batches, undecided } = decode(bytes, from, beginning)
      if (batches.length > 0) yield batches
      if (end === to) return
      if (undecided > from) {
        if (beginning === 'void' && bytes.includes(LINE_FEED)) beginning = 'line'
        // A copy: a few bytes would hold on to the whole window.
        bytes = Buffer.from(bytes.subarray(undecided - from))
        from = undecided
        window = Math.min(window * 2, LARGEST_WINDOW)
      } else if (window < LARGEST_BATCH) {
        window = Math.min(window * 2, LARGEST_BATCH)
      } else {
        // Longer than any line: now lines begin only in their own place.
        beginning = 'void'
        bytes = bytes.subarray(1)
        from++
        window = LARGEST_WINDOW
      }
    }
  }

  /** The batches that count before an offset, a window at a time, newest window first. `to` is the end of a line or the file. */
  *backward(to: number, window: number = WINDOW): Generator<readonly Batch[]> {
    let page: Page | undefined = { batches: [], before: NOTHING }
    for (;;) {
      page = this.#newestPage(0, to, { window, known: page.before })
      if (!page) return
      yield page.batches
      window = Math.min(window * 2, LARGEST_WINDOW)
      to = page.batches[0]?.pos ?? 0
    }
  }

  /** The batches that count in the last window before `to` that holds any, back to `floor`, the start of a line. */
  newestPage(floor: number, to: number, window: number = WINDOW): readonly Batch[] | undefined {
    return this.#newestPage(floor, to, { window, known: NOTHING })?.batches
  }

  /** `known`: the bytes right before `to`, as far as they were read already. */
  #newestPage(floor: number, to: number, { window, known }: Stretch): Page | undefined {
    let bytes = known
    while (to > floor) {
      const start = Math.max(floor, to - Math.max(window, bytes.length))
      if (start < to - bytes.length) bytes = this.#downTo(start, bytes, to)
      const lineFeed = bytes.indexOf(LINE_FEED)
      const { batches } = decode(bytes, start, start === floor ? 'line' : lineFeed >= LARGEST_BATCH ? 'void' : 'inside')
      const [first] = batches
      if (first) return { batches, before: Buffer.from(bytes.subarray(0, first.pos - start)) }
      if (start === floor) return undefined
      // Nothing ends where there is no line feed. Else it may be the end of a batch that starts before the window.
      if (lineFeed < 0) {
        to = start
        bytes = NOTHING
      } else if (window < 2 * LARGEST_BATCH) {
        window = Math.min(this.#windowOver(bytes, start, to) ?? window * 2, 2 * LARGEST_BATCH)
      } else {
        to = start + LARGEST_BATCH
        bytes = bytes.subarray(0, LARGEST_BATCH)
      }
    }
    return undefined
  }

  /** How much to read for the batch of which this stretch holds a last line; undefined if it names no place nearby. */
  #windowOver(bytes: Buffer, start: number, to: number): number | undefined {
    const end = bytes.lastIndexOf(LINE_FEED)
    const line = parseLine(bytes, bytes.lastIndexOf(LINE_FEED, end - 1) + 1, end)
    return line && line.pos < start && to - line.pos <= LARGEST_WINDOW ? to - line.pos : undefined
  }

  /**
   * The first batch that counts and ends behind `index`. Over batches that count, indexes rise with offsets: what is near the end is
   * looked for from there, the rest where it would be if all records were of one size, or by halving.
   */
  find(index: number): Batch | undefined {
    const newest = this.newestPage(0, this.size, PROBE)
    if (!newest || (newest.at(-1)?.next ?? 0) <= index) return undefined
    const bracket = new Bracket(index, newest)
    for (let guess = bracket.guess(); guess !== undefined && !bracket.isFound; guess = bracket.guess()) {
      bracket.narrow(this.#firstPage(guess, bracket), guess)
    }
    const { low, first, isFound } = bracket
    if (isFound) return first
    for (const batches of this.forward(low, first.pos, SCAN)) {
      const found = batches.find((batch) => batch.next > index)
      if (found) return found
    }
    return first
  }

  /** Some batches that count, the first behind an offset and before the first that is known to lie behind what is looked for. */
  #firstPage(offset: number, { low, first: { pos: to } }: Bracket): readonly Batch[] {
    for (let from = offset, window = PROBE; from < to;) {
      const end = Math.min(to, from + window)
      const bytes = this.read(from, end)
      const start = offset === low ? 0 : bytes.indexOf(LINE_FEED) + 1
      if (offset === low || start > 0) {
        const known = bytes.subarray(start)
        for (const batches of this.forward(from + start, to, known.length || PROBE, known)) return batches
        return []
      }
      from = end
      window = Math.min(window * 2, LARGEST_WINDOW)
    }
    return []
  }

  /** The oldest batch that counts. */
  get first(): Batch | undefined {
    for (const [batch] of this.forward(0, this.size)) return batch
    return undefined
  }

  /** Where the newest batch that counts before an offset ends. */
  endBefore(offset: number): number {
    return this.newestPage(0, offset)?.at(-1)?.end ?? 0
  }

  /** What stands behind `from`, where the last of `length` records that count ends. */
  examine(from: number, length: number): Tail {
    const examination = new TailExamination(length, this.#isDurable)
    let bytes: Buffer = NOTHING
    for (let window = WINDOW; from < this.size;) {
      const end = Math.min(this.size, from + window)
      bytes = this.#upTo(end, bytes, from)
      let taken = examination.take(bytes, from, end === this.size)
      if (taken === 0 && window < LARGEST_BATCH) {
        window = Math.min(window * 2, LARGEST_BATCH)
        continue
      }
      if (taken === 0) {
        examination.damage(from)
        taken = this.#lineEnd(end) - from
      }
      bytes = bytes.subarray(taken)
      from += taken
    }
    return examination.result
  }

  /** The offset behind the first line feed at or behind an offset, or the end. */
  #lineEnd(from: number): number {
    for (; from < this.size; from += LARGEST_WINDOW) {
      const lineFeed = this.read(from, Math.min(this.size, from + LARGEST_WINDOW)).indexOf(LINE_FEED)
      if (lineFeed >= 0) return from + lineFeed + 1
    }
    return this.size
  }

  /** Damage: this record of a log cannot be read, and should be at this byte. */
  missing(at: number, byte: number): CorruptError {
    const where = this.#place(byte)
    const message = `Record ${at} of log ${this.#name} cannot be read: ${where} is damaged. Salvage reads on behind it.`
    return new CorruptError(message, { log: this.#name, at, where })
  }

  /** Damage of the file as a whole, or at a byte. */
  corrupt(what: string, byte?: number): CorruptError {
    const where = byte === undefined ? this.path : this.#place(byte)
    return new CorruptError(`${where} is damaged: ${what}.`, { where })
  }

  /** A byte as a person finds it: its line, counted from 1, and its offset. */
  #place(byte: number): string {
    let line = 1
    for (let from = 0; from < byte; from += LARGEST_WINDOW) {
      for (const value of this.read(from, Math.min(byte, from + LARGEST_WINDOW))) if (value === LINE_FEED) line++
    }
    return `${this.path}, line ${line}, byte ${byte}`
  }

  /** The bytes from an offset up to another, of which the first are known already. */
  #upTo(end: number, known: Buffer, from: number): Buffer {
    const length = end - from
    if (known.length >= length) return known.subarray(0, length)
    return this.read(from, end, known)
  }

  /** The bytes from an offset up to another, of which the last are known already. */
  #downTo(start: number, known: Buffer, to: number): Buffer {
    const bytes = Buffer.allocUnsafe(to - start)
    known.copy(bytes, bytes.length - known.length)
    this.#fill(bytes.subarray(0, bytes.length - known.length), start)
    return bytes
  }

  /** The bytes between two offsets, all of which the file had when it was looked at; `known` are the first of them. */
  read(start: number, end: number, known: Buffer = NOTHING): Buffer {
    const bytes = Buffer.allocUnsafe(end - start)
    this.#fill(bytes, start, known.copy(bytes))
    return bytes
  }

  #fill(bytes: Buffer, start: number, length = 0): void {
    while (length < bytes.length) {
      const read = this.#system.read(this.#file, bytes, length, start + length)
      if (read === 0) throw this.corrupt(`it ends at byte ${start + length}, and was longer`)
      length += read
    }
  }
}
