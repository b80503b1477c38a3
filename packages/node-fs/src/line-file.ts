import { CorruptError, SessionError, UncertainError } from '@sessiontree/core'
import { systemCode, toSessionError, type FileSystem } from './file-system.ts'
import { decode, encodeBatch, isDamaged, SPOILER, type Batch, type Body } from './line.ts'
import type { Tree } from './store.ts'

// How much is read at first, how much at most where whole batches fit, and how much of a guess in a search.
const WINDOW = 64 * 1024
const LARGEST_WINDOW = 1024 * 1024
const PROBE = 8 * 1024
const LINE_FEED = 10

/** What a {@link LineFile} is made of. */
export interface LineFileOptions {
  readonly path: string
  /** Who writes: random, for this open file alone. */
  readonly by: string
  readonly name: string
  /** A document is as sound as its last line, a log as long as the batches that count say. */
  readonly tree: Tree
}

/**
 * One open file of lines: what it holds as far as this handle has decided it, and the only way to add to it.
 *
 * Invariant: all bytes before `#undecided` are decided; `last` and `length` say what they hold.
 */
export class LineFile {
  readonly path: string
  readonly by: string
  /** Which file this is, whatever name it has by now. */
  readonly identity: string
  /** The size when it was last looked at. */
  size: number
  /** Whether the file had lost its name when it was last looked at. */
  unlinked = false
  /** The newest batch that counts, of a document; of a log only a seal. */
  last: Batch | undefined
  /** The index after it. */
  length = 0
  /** Whether something that no writer leaves stands behind it. Only known of documents. */
  damaged = false
  readonly #system: FileSystem
  readonly #file: number
  readonly #name: string
  readonly #tree: Tree
  #undecided = 0
  #decidedSize = 0
  #unterminated = false
  #closing = false
  #flushing: Promise<void> = Promise.resolve()
  #nextFlush: Promise<void> | undefined
  #waiting = 0

  /** Takes over an open file. */
  constructor(system: FileSystem, file: number, { path, by, name, tree }: LineFileOptions) {
    this.#system = system
    this.#file = file
    this.path = path
    this.by = by
    this.#name = name
    this.#tree = tree
    const { size, dev, ino, birthtimeMs } = system.fstat(file)
    this.size = size
    this.identity = `${dev}:${ino}:${birthtimeMs}`
  }

  /** Whether its newest batch says that it goes on in another file. */
  get isSealed(): boolean {
    return this.last?.body === 'next'
  }

  /** Decides the file up to its end, as it is now. */
  look(): void {
    this.#measure()
    this.decide()
  }

  #measure(): void {
    const { size, nlink } = this.#system.fstat(this.#file)
    this.size = size
    this.unlinked = nlink === 0
  }

  /** Decides the file up to `size`: from the tail, however long it is. */
  decide(): void {
    const { size } = this
    const floor = this.#undecided
    if (size < this.#decidedSize) throw this.corrupt(`it shrank from ${this.#decidedSize} to ${size} bytes`)
    if (size === this.#decidedSize) return
    for (let window = WINDOW; ; window *= 2) {
      const start = Math.max(floor, size - window)
      const { bytes, offset } = this.#lines(start, size, start === floor)
      const { batches, undecided, unterminated } = decode(bytes, offset)
      if (batches.length === 0 && start > floor) continue
      const last = batches.at(-1)
      if (this.#tree === 'doc') {
        const end = last?.end ?? offset
        this.damaged = (this.damaged && !last) || isDamaged(bytes.subarray(end - offset), end)
      }
      if (last) {
        // A log stays open: it must not hold on to the window that was read.
        this.last = this.#tree === 'doc' || last.body === 'next' ? last : undefined
        this.length = last.next
      }
      this.#undecided = undecided
      this.#decidedSize = size
      this.#unterminated = unterminated
      return
    }
  }

  /**
   * Writes one batch behind all that is decided: one write, one fstat. Returns whether it counts. If not, then others were first,
   * void bytes came in between, or the file lost its name before; what there is now is decided.
   */
  write(body: Body, texts: readonly string[]): boolean {
    const spoiler = this.#unterminated ? SPOILER : ''
    const at = this.length
    const pos = this.#decidedSize + spoiler.length
    const batch = encodeBatch({ at, pos, by: this.by, body }, texts)
    this.#writeOnce(spoiler ? Buffer.concat([Buffer.from(spoiler), batch]) : batch)
    try {
      this.#measure()
      if (this.size === pos + batch.length && !this.unlinked) {
        this.length = at + texts.length
        this.#undecided = this.#decidedSize = this.size
        this.#unterminated = false
        return true
      }
      const counts = this.#read(pos, pos + batch.length).equals(batch)
      this.look()
      // A file that was replaced has a seal behind what was copied; one without was removed.
      return counts && (!this.unlinked || this.isSealed)
    } catch (cause) {
      throw uncertain(this.path, cause)
    }
  }

  // The rest of a short write is never written: its start is void as soon as anybody appends.
  #writeOnce(bytes: Buffer): void {
    let written: number
    try {
      written = this.#system.write(this.#file, bytes)
    } catch (cause) {
      const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(cause) ?? '')
      throw full ? cause : uncertain(this.path, cause)
    }
    if (written === bytes.length) return
    throw new SessionError(
      'QUOTA',
      `Only ${written} of ${bytes.length} bytes fitted into ${this.path}; none counts. Make room.`,
    )
  }

  /**
   * Resolves when all that was written so far would survive the machine. Calls share a flush. After one that failed all fail: the
   * system reports a failure once, and may have let go of the bytes.
   */
  async flush(): Promise<void> {
    this.#waiting++
    this.#nextFlush ??= this.#flushing.then(() => {
      this.#nextFlush = undefined
      this.#flushing = this.#system.flush(this.#file)
      return this.#flushing
    })
    try {
      await this.#nextFlush
    } finally {
      this.#waiting--
      this.#closeIfIdle()
    }
  }

  get isFlushing(): boolean {
    return this.#waiting > 0
  }

  /** Closes the file as soon as nobody waits for a flush. */
  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#closeIfIdle()
  }

  #closeIfIdle(): void {
    if (this.#closing && this.#waiting === 0) this.#system.close(this.#file)
  }

  /** The batches that count between two offsets, a window at a time, oldest first. `from` is the start of a line. */
  *forward(from: number, to: number, window: number = WINDOW): Generator<readonly Batch[]> {
    while (from < to) {
      const end = Math.min(to, from + window)
      const { batches, undecided } = decode(this.#read(from, end), from)
      if (batches.length > 0) yield batches
      if (end === to) return
      window = undecided === from ? window * 2 : Math.min(window * 2, LARGEST_WINDOW)
      from = undecided
    }
  }

  /** The batches that count before an offset, a window at a time, newest window first. `to` is the end of a line or the file. */
  *backward(to: number, window: number = WINDOW): Generator<readonly Batch[]> {
    while (to > 0) {
      const start = Math.max(0, to - window)
      const { bytes, offset } = this.#lines(start, to, start === 0)
      const { batches } = decode(bytes, offset)
      if (batches.length > 0) yield batches
      if (start === 0) return
      // Lines before the first batch may be the end of one that starts before the window.
      window = batches.length > 0 ? Math.min(window * 2, LARGEST_WINDOW) : window * 2
      to = batches[0]?.pos ?? to
    }
  }

  /** The first batch that counts and ends behind `index`. Found by halving: over batches that count, indexes rise with offsets. */
  find(index: number): Batch | undefined {
    let low = 0
    let high = this.size
    while (high - low > PROBE) {
      const middle = Math.floor((low + high) / 2)
      const found = this.#firstBehind(middle)
      if (found && found.next <= index) low = found.end
      else high = middle
    }
    for (const batches of this.forward(low, this.size, PROBE)) {
      const found = batches.find((batch) => batch.next > index)
      if (found) return found
    }
    return undefined
  }

  #firstBehind(offset: number): Batch | undefined {
    for (let from = offset; from < this.size; from += PROBE) {
      const lineFeed = this.#read(from, Math.min(this.size, from + PROBE)).indexOf(LINE_FEED)
      if (lineFeed < 0) continue
      for (const [batch] of this.forward(from + lineFeed + 1, this.size, PROBE)) return batch
      return undefined
    }
    return undefined
  }

  /** Damage: this record of a log is missing, `where` says at which byte. */
  missing(at: number, where: string): CorruptError {
    return new CorruptError(
      `Record ${at} of log ${this.#name} is missing from ${this.path} ${where}; salvage reads on.`,
      {
        log: this.#name,
        at,
        where: `${this.path} ${where}`,
      },
    )
  }

  /** Damage of the file as a whole. */
  corrupt(what: string): CorruptError {
    return new CorruptError(`${this.path} is damaged: ${what}.`, { where: this.path })
  }

  /** Reads from the start of the first line in a stretch: the stretch's own, or the one after its first line feed. */
  #lines(start: number, end: number, atLine: boolean): { bytes: Buffer; offset: number } {
    const bytes = this.#read(start, end)
    const skip = atLine ? 0 : bytes.indexOf(LINE_FEED) + 1
    return { bytes: bytes.subarray(skip), offset: start + skip }
  }

  #read(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafe(end - start)
    let length = 0
    while (length < bytes.length) {
      const read = this.#system.read(this.#file, bytes, length, start + length)
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  }
}

/** Nobody can tell whether what was written to this file took effect, and lasts. */
export function uncertain(path: string, cause: unknown): UncertainError {
  return new UncertainError(`It is unknown whether the write to ${path} took effect and lasts; open another handle.`, {
    cause: toSessionError(cause),
  })
}
