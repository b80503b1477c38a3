import type { Signal } from '../runtime.ts'
import type { StoredValue } from './stored-value.ts'

/** Something that can be folded: a log, from its start to as far as it is committed. */
export interface Foldable<Value> {
  readonly incarnation: number
  /** How many values there are, where that is known: then nothing is read that was read before. */
  readonly committed?: number
  /** The values from an index on. */
  read(from: number, signal?: Signal): AsyncIterable<StoredValue<Value>>
}

/**
 * What a log's values add up to, kept up to date: reads each committed value once, also when it is asked again and again, and starts
 * over after a clear.
 */
export class LogFold<Value, State> {
  readonly #start: () => State
  readonly #add: (state: State, stored: StoredValue<Value>) => State
  #known: { readonly incarnation: number; length: number; state: State } | undefined
  #before: Promise<unknown> = Promise.resolve()

  /** `add` returns the next state; it may be the same object, changed. */
  constructor(start: () => State, add: (state: State, stored: StoredValue<Value>) => State) {
    this.#start = start
    this.#add = add
  }

  /** Resolves with the state behind the last committed value; one call after the other. */
  upTo(log: Foldable<Value>, signal?: Signal): Promise<State> {
    const state = this.#before.then(() => this.#catchUp(log, signal))
    this.#before = state.catch(() => {})
    return state
  }

  async #catchUp(log: Foldable<Value>, signal: Signal | undefined): Promise<State> {
    // An older view than the one before: what is known already is known to be committed.
    if (this.#known?.incarnation !== log.incarnation) {
      this.#known = { incarnation: log.incarnation, length: 0, state: this.#start() }
    }
    const known = this.#known
    if (known.length < (log.committed ?? Infinity)) {
      for await (const stored of log.read(known.length, signal)) {
        if (stored.at !== known.length) continue
        known.state = this.#add(known.state, stored)
        known.length = stored.at + 1
      }
    }
    return known.state
  }
}
