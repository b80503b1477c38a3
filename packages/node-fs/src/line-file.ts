import { SessionError, UncertainError } from '@sessiontree/core'
import { systemCode, toSessionError, type FileSystem } from './file-system.ts'
import { encodeBatch, SPOILER, type Batch, type Body } from './line.ts'
import { LineReader, type LineReaderOptions } from './line-reader.ts'
import type { Tree } from './store.ts'
import { EMPTY_TAIL, type Tail } from './tail.ts'

const PIECE = 1024 * 1024

/** What a {@link LineFile} is made of. */
export interface LineFileOptions extends Omit<LineReaderOptions, 'size'> {
  /** Who writes: random, for this open file alone. */
  readonly by: string
  /** Of a document the newest batch is kept. */
  readonly tree: Tree
}

/**
 * One open file of lines: what it holds as far as this handle has decided it, and the only way to add to it.
 *
 * Invariant: no batch starts before `#end` and counts that is not in `length`; `tail` says what stands between there and `#decidedSize`.
 */
export class LineFile extends LineReader {
  readonly by: string
  /** Which file this is, whatever name it has by now. */
  readonly identity: string
  /** Whether the file had lost its name when it was last looked at. */
  unlinked = false
  /** The newest batch that counts, of a document; of a log only a seal. */
  last: Batch | undefined
  /** The index after it. */
  length = 0
  /** What stands behind it. */
  tail: Tail = EMPTY_TAIL
  readonly #system: FileSystem
  readonly #file: number
  readonly #tree: Tree
  /** Where the newest batch that counts ends. */
  #end = 0
  #decidedSize = 0
  /** Up to where this handle knows what counts to be flushed. */
  #flushedEnd = 0
  #closing = false
  #flushing: Promise<void> = Promise.resolve()
  #nextFlush: Promise<void> | undefined
  #waiting = 0

  /** Takes over an open file. */
  constructor(system: FileSystem, file: number, { path, by, name, tree, isDurable }: LineFileOptions) {
    const { size, dev, ino, birthtimeMs } = system.fstat(file)
    super(system, file, { path, name, size, isDurable })
    this.#system = system
    this.#file = file
    this.by = by
    this.#tree = tree
    this.identity = `${dev}:${ino}:${birthtimeMs}`
  }

  /** Whether its newest batch says that it goes on in another file. */
  get isSealed(): boolean {
    return this.last?.body === 'next'
  }

  /** Whether its newest batch may not have been flushed yet, whoever wrote it. */
  get mayLoseEnd(): boolean {
    return this.#end > this.#flushedEnd
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
    if (size < this.#decidedSize) throw this.corrupt(`it shrank from ${this.#decidedSize} to ${size} bytes`)
    if (size === this.#decidedSize) return
    const newest = this.newestPage(this.#end, size)?.at(-1)
    if (newest) {
      // A log stays open: it must not hold on to the window that was read.
      this.last = this.#tree === 'doc' || newest.body === 'next' ? newest : undefined
      this.length = newest.next
      this.#end = newest.end
    }
    this.tail = this.examine(this.#end, this.length)
    this.#decidedSize = size
  }

  /** The bytes up to where the newest batch that counts ends, in pieces. */
  *counting(): Generator<Buffer> {
    const end = this.#end
    for (let from = 0; from < end; from += PIECE) yield this.read(from, Math.min(end, from + PIECE))
  }

  /**
   * Writes one batch behind all that is decided: one write, one fstat. Returns whether it counts. If not, then others were first,
   * void bytes came in between, or the file lost its name before; what there is now is decided.
   */
  write(body: Body, texts: readonly string[]): boolean {
    const spoiler = this.tail.isUnterminated ? SPOILER : ''
    const at = this.length
    const pos = this.#decidedSize + spoiler.length
    const batch = encodeBatch({ at, pos, by: this.by, body }, texts)
    this.#writeOnce(spoiler ? Buffer.concat([Buffer.from(spoiler), batch]) : batch)
    try {
      this.#measure()
      if (this.size === pos + batch.length && !this.unlinked) {
        this.length = at + texts.length
        this.#end = this.#decidedSize = this.size
        this.tail = EMPTY_TAIL
        return true
      }
      const counts = this.read(pos, Math.min(this.size, pos + batch.length)).equals(batch)
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
    const end = this.#end
    this.#waiting++
    this.#nextFlush ??= this.#flushing.then(() => {
      this.#nextFlush = undefined
      this.#flushing = this.#system.flush(this.#file)
      return this.#flushing
    })
    try {
      await this.#nextFlush
      this.#flushedEnd = Math.max(this.#flushedEnd, end)
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
}

/** Nobody can tell whether what was written to this file took effect, and lasts. */
export function uncertain(path: string, cause: unknown): UncertainError {
  return new UncertainError(`It is unknown whether the write to ${path} took effect and lasts; open another handle.`, {
    cause: toSessionError(cause),
  })
}
