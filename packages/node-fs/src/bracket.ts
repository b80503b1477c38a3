import type { Batch } from './line.ts'

/** How much is read of a guess. */
export const PROBE: number = 8 * 1024
/** What is left to look through is read as it is when it is no more than this. */
export const SCAN: number = 4 * PROBE
// What is nearer to the end than this is looked for from there.
const NEAR = 1024 * 1024

/**
 * Where in a file the first batch can be that ends behind an index: between two offsets that guesses move towards each other.
 *
 * Invariant: every batch that counts and starts before `low` ends at or before the index; `first` ends behind it; and no batch that
 * ends behind it starts at or behind `#high`, but `first` and those behind that.
 */
export class Bracket {
  /** The end of a batch, or the start of the file. */
  low = 0
  /** The first batch known to end behind the index. */
  first: Batch
  /** Whether that is the one: what is before it was seen too. */
  isFound = false
  readonly #index: number
  #lowAt = 0
  #high: number
  #highAt: number
  /** How many bytes a record takes up near `first`. */
  #density: number
  #guesses = 0

  /** Begins with the last batches of a file, the last of which ends behind the index. */
  constructor(index: number, newest: readonly Batch[]) {
    this.#index = index
    this.first = newest[0] as Batch
    this.#high = this.first.pos
    this.#highAt = this.first.at
    this.#density = densityOf(newest)
    this.#take(newest)
  }

  /** Where to look next; undefined if what is left is little. */
  guess(): number | undefined {
    const room = this.#high - this.low
    if (room <= SCAN) return undefined
    const ahead = (this.#highAt - this.#index) * this.#density
    const share = (this.#index - this.#lowAt) / Math.max(1, this.#highAt - this.#lowAt)
    // Records of many sizes mislead; halving never takes more steps than a size has bits.
    const isHalving = this.#guesses++ % 2 === 1 && this.#guesses > 2
    const place = isHalving ? room / 2 : this.low === 0 && ahead <= NEAR ? room - ahead : share * room
    return this.low + Math.min(Math.max(0, Math.floor(place - PROBE / 2)), room - 1)
  }

  /** Takes the first batches behind a guess, if there are any. */
  narrow(batches: readonly Batch[], guess: number): void {
    const [first] = batches
    if (!first || first.pos >= this.#high) this.#high = guess
    else this.#take(batches)
  }

  #take(batches: readonly Batch[]): void {
    const found = batches.findIndex((batch) => batch.next > this.#index)
    const last = batches.at(-1) as Batch
    if (found < 0) {
      this.low = last.end
      this.#lowAt = last.next
      return
    }
    const batch = batches[found] as Batch
    this.first = batch
    this.isFound = found > 0 || batch.at <= this.#index
    this.#high = batch.pos
    this.#highAt = batch.at
    this.#density = densityOf(batches)
  }
}

function densityOf(batches: readonly Batch[]): number {
  const [first, last] = [batches[0] as Batch, batches.at(-1) as Batch]
  return (last.end - first.pos) / (last.next - first.at)
}
