import type { Call, LogCall } from './call.ts'
import { describe, effectiveUntil, isAcknowledged, isOf, isRefused } from './call.ts'
import { LogAttempts, type Append } from './log-attempts.ts'
import { viewOf, type LogView } from './log-view.ts'
import { excerpt, violation, type Violation } from './violation.ts'

/** Checks the calls on one log, in the order of their starts. */
export function checkLog(log: string, calls: readonly LogCall[]): Violation[] {
  const drops = calls.filter((call) => isOf(call, 'drop')).filter((drop) => !isRefused(drop))
  // From here on the log may be gone: what is appended or read afterwards promises less.
  const firstDrop = drops[0]?.start ?? Infinity
  const appends = calls.filter((call) => isOf(call, 'append'))
  const views = calls.filter((call) => isOf(call, 'read')).map(viewOf)
  const check = new LogCheck(log, new LogAttempts(appends), firstDrop)
  for (const view of views) check.origins(view)
  const living = views.filter(({ read }) => read.start < firstDrop)
  check.content(living)
  check.acknowledged()
  check.lengths(living)
  check.realTime(living)
  for (const drop of drops) if (isAcknowledged(drop)) check.dropped(drop, views)
  return check.violations
}

class LogCheck {
  readonly violations: Violation[] = []
  readonly #log: string
  readonly #attempts: LogAttempts
  readonly #firstDrop: number
  /** What stands at each index, and who has shown it. */
  readonly #content = new Map<number, { readonly text: string; readonly shownBy: Call }>()

  constructor(log: string, attempts: LogAttempts, firstDrop: number) {
    this.#log = log
    this.#attempts = attempts
    this.#firstDrop = firstDrop
  }

  #report(rule: Violation['rule'], message: string, calls: readonly Call[]): void {
    this.violations.push(violation(rule, this.#log, message, calls))
  }

  /** Each record that a read showed must have been appended there. One finding for each read: the rest follows from it. */
  origins({ read, records, disorder }: LogView): void {
    if (disorder !== undefined) this.#report('read.order', `${describe(read)}: ${disorder}`, [read])
    for (const [index, text] of records) {
      const origin = this.#attempts.originOf(text, index, read.end)
      if (origin.kind === 'appended') continue
      const seen = `${describe(read)} shows ${excerpt(text)} at index ${index}`
      if (origin.kind === 'unknown') {
        this.#report('read.unknown', `${seen}, which nobody had appended`, [read])
      } else if (origin.kind === 'refused') {
        const { append } = origin
        const told = `${describe(append)} was told ${append.answer?.code ?? 'a failure'}, nothing written`
        this.#report('append.refused', `${seen}; ${told}`, [read, append])
      } else {
        const { append } = origin
        this.#report('append.moved', `${seen}; ${describe(append)} put it at ${origin.index}`, [read, append])
      }
      return
    }
  }

  /** Reads must agree about each index. */
  content(views: readonly LogView[]): void {
    for (const { read, records } of views) {
      for (const [index, text] of records) {
        const known = this.#content.get(index)
        if (!known) {
          this.#content.set(index, { text, shownBy: read })
        } else if (known.text !== text) {
          const other = `${describe(known.shownBy)} showed ${excerpt(known.text)}`
          this.#report('read.changed', `${describe(read)} shows ${excerpt(text)} at index ${index}; ${other}`, [
            known.shownBy,
            read,
          ])
          break
        }
      }
    }
  }

  /** The acknowledged appends that the log must still hold. */
  get #sure(): Append[] {
    return this.#attempts.acknowledged.filter((append) => append.end < this.#firstDrop)
  }

  /** Acknowledged appends share no index, and nothing else is read at theirs. */
  acknowledged(): void {
    let last: Append | undefined
    for (const append of this.#sure.toSorted((a, b) => a.request.at - b.request.at)) {
      const { at, records } = append.request
      if (last && at < last.request.at + last.request.records.length) {
        this.#report('append.twice', `${describe(append)} and ${describe(last)} were both told that they hold ${at}`, [
          last,
          append,
        ])
      }
      if (!last || at + records.length > last.request.at + last.request.records.length) last = append
      for (const [i, text] of records.entries()) {
        const known = this.#content.get(at + i)
        if (!known || known.text === text) continue
        const found = `${describe(known.shownBy)} found ${excerpt(known.text)} at index ${at + i}`
        const wanted = `${describe(append)}, acknowledged, had put ${excerpt(text)} there`
        this.#report('append.lost', `${found}; ${wanted}`, [append, known.shownBy])
        break
      }
    }
  }

  /** Batches stand one behind the other, whole. */
  lengths(views: readonly LogView[]): void {
    const known = new Map(Array.from(this.#content, ([index, { text }]) => [index, text]))
    const lengths = this.#attempts.lengths(known, new Set(this.#sure))
    for (const append of this.#sure) {
      const { at } = append.request
      if (lengths.has(at)) continue
      this.#report('append.gap', `${describe(append)} was acknowledged at ${at}, where no whole batch ends`, [append])
      // Whatever stands behind it begins at no known length either.
      return
    }
    for (const { read, least, most } of views) {
      if (most !== least || lengths.has(most)) continue
      this.#report('append.torn', `${describe(read)} ends at ${most}, in the middle of a batch`, [read])
    }
  }

  /** What was acknowledged or read before a call began holds for it. */
  realTime(views: readonly LogView[]): void {
    const lengths = new KnownLengths([
      ...this.#sure.map((by) => ({ by, length: by.request.at + by.request.records.length })),
      ...views.map(({ read, least }) => ({ by: read, length: least })),
    ])
    for (const append of this.#sure) {
      const before = lengths.before(append.start)
      if (!before || append.request.at >= before.length) continue
      const told = `${describe(append)} was acknowledged at ${append.request.at}`
      const known = `before it began ${describe(before.by)} had shown a length of at least ${before.length}`
      this.#report('append.order', `${told}; ${known}`, [before.by, append])
    }
    for (const { read, records, most } of views) {
      const before = lengths.before(read.start)
      if (!before || most >= before.length) continue
      // A drop that had begun may have emptied the log meanwhile.
      if (read.end >= this.#firstDrop && records.size === 0) continue
      const missing = `${describe(read)} ends at ${most} and misses index ${before.length - 1}`
      const known = `before it began ${describe(before.by)} had shown a length of at least ${before.length}`
      this.#report('read.stale', `${missing}; ${known}`, [before.by, read])
    }
  }

  /** Nothing from before an acknowledged drop is read after it. */
  dropped(drop: Call, views: readonly LogView[]): void {
    for (const { read, records } of views) {
      if (read.start <= drop.end) continue
      for (const [index, text] of records) {
        const writers = this.#attempts.writersOf(text, index)
        if (writers.length === 0 || writers.some((append) => effectiveUntil(append) > drop.start)) continue
        const seen = `${describe(read)} shows ${excerpt(text)} at index ${index}`
        this.#report('drop.gone', `${seen}, which ${describe(drop)} had removed before it began`, [drop, read])
        break
      }
    }
  }
}

interface Known {
  readonly by: Call
  readonly length: number
}

/** The greatest length that is known of a log at each moment. */
class KnownLengths {
  readonly #ascending: Known[] = []

  constructor(known: readonly Known[]) {
    for (const one of known.toSorted((a, b) => a.by.end - b.by.end)) {
      if (one.length > (this.#ascending.at(-1)?.length ?? 0)) this.#ascending.push(one)
    }
  }

  /** The greatest length shown by a call that ended before `time`. */
  before(time: number): Known | undefined {
    let [low, high] = [0, this.#ascending.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ascending[middle]?.by.end ?? Infinity) < time) low = middle + 1
      else high = middle
    }
    return this.#ascending[low - 1]
  }
}
