import type { Call } from './call.ts'
import { isAcknowledged, isRefused } from './call.ts'
import type { AppendRequest } from './event.ts'

export type Append = Call<AppendRequest>

/** Where one text was meant to stand. */
interface Place {
  readonly append: Append
  readonly index: number
}

/** How a record that somebody read came to its index. */
export type Origin =
  | { readonly kind: 'appended' }
  | { readonly kind: 'refused' | 'moved'; readonly append: Append; readonly index: number }
  | { readonly kind: 'unknown' }

/** All attempts to append to one log, by the texts that they carried. */
export class LogAttempts {
  /** Those that may have taken effect. */
  readonly possible: readonly Append[]
  readonly acknowledged: readonly Append[]
  readonly #places = new Map<string, Place[]>()

  constructor(appends: readonly Append[]) {
    this.possible = appends.filter((append) => !isRefused(append))
    this.acknowledged = appends.filter(isAcknowledged)
    for (const append of appends) {
      for (const [i, text] of append.request.records.entries()) {
        const places = this.#places.get(text) ?? []
        this.#places.set(text, places)
        places.push({ append, index: append.request.at + i })
      }
    }
  }

  /** Explains a record that was read at `index` by a read that ended at `until`. */
  originOf(text: string, index: number, until: number): Origin {
    const begun = (this.#places.get(text) ?? []).filter(({ append }) => append.start <= until)
    const here = begun.filter((place) => place.index === index)
    if (here.some(({ append }) => !isRefused(append))) return { kind: 'appended' }
    const [refused] = here
    if (refused) return { kind: 'refused', ...refused }
    const elsewhere = begun.find(({ append }) => !isRefused(append)) ?? begun[0]
    if (!elsewhere) return { kind: 'unknown' }
    return { kind: isRefused(elsewhere.append) ? 'refused' : 'moved', ...elsewhere }
  }

  /** The appends that put this text at this index, unless they were refused. */
  writersOf(text: string, index: number): Append[] {
    const places = this.#places.get(text) ?? []
    return places.filter((place) => place.index === index && !isRefused(place.append)).map(({ append }) => append)
  }

  /**
   * The lengths that the log can have had, given what is known to stand at some indexes: 0, and every end of a batch that began at such a
   * length and contradicts nothing. Where one of the `sure` batches began no other one can have begun.
   */
  lengths(content: ReadonlyMap<number, string>, sure: ReadonlySet<Append>): ReadonlySet<number> {
    const byStart = Map.groupBy(this.possible, ({ request }) => request.at)
    const lengths = new Set([0])
    for (const at of [...byStart.keys()].toSorted((a, b) => a - b)) {
      if (!lengths.has(at)) continue
      const here = byStart.get(at) ?? []
      const certain = here.filter((append) => sure.has(append))
      for (const { request } of certain.length > 0 ? certain : here) {
        const fits = request.records.every((text, i) => (content.get(at + i) ?? text) === text)
        if (fits) lengths.add(at + request.records.length)
      }
    }
    return lengths
  }
}
