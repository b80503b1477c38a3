import type { StorageAdapter } from './adapter.ts'
import { CorruptError, SessionError } from './errors.ts'
import { isSameLineage, Lineage, type LineageSegment } from './forks/lineage.ts'
import { LogView } from './log-view.ts'

/** What a {@link SessionLog} works with. */
export interface SessionLogOptions {
  readonly adapter: StorageAdapter
  readonly log: string
  readonly segment: number
  /** What the session's ancestors hand down. */
  readonly lineage: readonly LineageSegment[]
  /** Looks which log holds the session's records now; rejects if there is none any more. Says what it finds to `inherit` first. */
  readonly locate: () => Promise<string>
  /** Told whenever there is more to read, also because the session went on in another log. */
  readonly grown?: (() => void) | undefined
}

/** The log that a session is in, as far as this handle knows: goes with the session when a repair moves it to another one. */
export class SessionLog {
  readonly #options: SessionLogOptions
  /** What is known of it. */
  view: LogView
  /** Whether the session goes on in another log: the next look goes there. */
  #hasMoved = false
  /** Why there is no such session any more. */
  #gone: SessionError | undefined
  #ticks = 0
  #lineage: Lineage

  constructor(options: SessionLogOptions) {
    this.#options = options
    this.#lineage = this.#lineageOf(options.lineage)
    this.view = this.#viewOf(options.log)
  }

  /** Counts calls and looks: a look tells about a call only if it began after it. */
  tick(): number {
    return ++this.#ticks
  }

  /** Notes that the session goes on in another log. */
  moveOn(): void {
    this.#hasMoved = true
  }

  /** Notes which logs of its ancestors the session's document names. */
  inherit(segments: readonly LineageSegment[]): void {
    if (isSameLineage(segments, this.#lineage.segments)) return
    this.#lineage = this.#lineageOf(segments)
    this.view.lineage = this.#lineage
  }

  /** Reads what others appended since; the tail, the first time. */
  async catchUp(): Promise<void> {
    if (this.#gone) throw this.#gone
    try {
      await this.view.catchUp()
    } catch (error) {
      // A log that is too damaged to be ended has a successor all the same, and one that was dropped while it was read.
      if ((SessionError.is(error, 'CORRUPT') || this.#hasMoved) && (await this.follow())) return
      throw error
    }
    // Empty: the log of a new session, or of one that is gone by now.
    if (this.view.isClosed || this.#hasMoved || this.view.length === 0) await this.follow()
  }

  /** Goes on in the log that the session has now, if it is another one; resolves with whether it is. */
  async follow(): Promise<boolean> {
    const log = await this.#locate()
    if (log === this.view.log) return false
    // Nobody sees it before its end is known: it would look like an empty session.
    const view = this.#viewOf(log)
    await view.catchUp()
    this.view = view
    this.#hasMoved = false
    this.#options.grown?.()
    return true
  }

  /** A log that has ended takes no records: goes where the session goes on. */
  async leave(): Promise<void> {
    // The next one may have ended too, by another repair.
    while (this.view.isClosed) {
      if (await this.follow()) continue
      throw new SessionError(
        'BUSY',
        `Log ${this.view.log} has ended and its successor is not there yet: somebody repairs this session, or was interrupted. ` +
          'Try again, or call repair().',
      )
    }
  }

  /** The error for an index that is refused again and again although nobody holds it. */
  refused(at: number): CorruptError {
    const { log } = this.view
    return new CorruptError(`Log ${log} refuses index ${at} but shows no record there.`, { log, at })
  }

  /** Once a session is gone it stays so, whatever this handle has read of it. */
  async #locate(): Promise<string> {
    try {
      return await this.#options.locate()
    } catch (error) {
      if (SessionError.is(error, 'DELETED') || SessionError.is(error, 'NOT_FOUND')) this.#gone = error
      throw error
    }
  }

  #viewOf(log: string): LogView {
    const { adapter, segment, grown } = this.#options
    const vouch = async () => {
      if ((await this.#locate()) === log) return
      throw new SessionError('BUSY', `The session moved from log ${log} to another while it was read; read it again.`)
    }
    return new LogView({ adapter, log, segment, vouch, lineage: this.#lineage, tick: () => this.tick(), grown })
  }

  /** Where something of it is missing, the session's document is read once more: deleting an ancestor moves what its forks share. */
  #lineageOf(segments: readonly LineageSegment[]): Lineage {
    const lineage: Lineage = new Lineage(this.#options.adapter, segments, async () => {
      await this.#locate()
      if (this.#lineage === lineage) return
      throw new SessionError('BUSY', 'What this session shares with its source moved while it was read; read it again.')
    })
    return lineage
  }
}
