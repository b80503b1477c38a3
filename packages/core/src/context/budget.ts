import type { Measured } from './segment.ts'

/** The most that a context may cost. */
export interface Budget {
  /** By the estimate of the format. */
  readonly maxTokens?: number | undefined
  /** As JSON, in UTF-8. */
  readonly maxBytes?: number | undefined
}

/** Checks a budget: whole numbers from 0, or `Infinity`. */
export function checkBudget({ maxTokens = 0, maxBytes = 0 }: Budget): void {
  for (const [name, value] of Object.entries({ maxTokens, maxBytes })) {
    if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) continue
    throw new TypeError(`${name}: expected a whole number from 0, got ${String(value)}`)
  }
}

/** One batch, or what stands for the compacted head. */
type Block<Message> = readonly Measured<Message>[]

/** The newest batches of a context, as many as its budget allows. */
export class BudgetedTail<Message> {
  readonly #maxTokens: number
  readonly #maxBytes: number
  readonly #newestFirst: Block<Message>[] = []
  #cost: Cost = { tokens: 0, bytes: 0 }
  #isFull = false

  constructor({ maxTokens = Infinity, maxBytes = Infinity }: Budget) {
    this.#maxTokens = maxTokens
    this.#maxBytes = maxBytes
  }

  /** Whether a batch did not fit: no older one is taken from then on, so that the context has no gap. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Takes the next older batch, if it fits. */
  add(batch: Block<Message>): void {
    const cost = sum(this.#cost, costOf(batch))
    this.#isFull ||= !this.#allows(cost)
    if (this.#isFull || batch.length === 0) return
    this.#newestFirst.push(batch)
    this.#cost = cost
  }

  /** What fits, oldest first: the newest batch before the head, the head before the other batches. */
  fit(headFor: (hasTail: boolean) => Block<Message>): {
    readonly batches: readonly Block<Message>[]
    readonly head: Block<Message>
    readonly complete: boolean
  } {
    const all = this.#newestFirst.toReversed()
    if (all.length === 0) {
      const head = headFor(false)
      const fits = this.#allows(costOf(head))
      return { batches: [], head: fits ? head : [], complete: fits && !this.#isFull }
    }
    const head = headFor(true)
    let cost = sum(this.#cost, costOf(head))
    for (const [first, batch] of all.entries()) {
      if (this.#allows(cost)) return { batches: all.slice(first), head, complete: !this.#isFull && first === 0 }
      cost = sum(cost, costOf(batch), -1)
    }
    return { batches: all, head: [], complete: false }
  }

  #allows({ tokens, bytes }: Cost): boolean {
    return tokens <= this.#maxTokens && bytes <= this.#maxBytes
  }
}

interface Cost {
  readonly tokens: number
  readonly bytes: number
}

const costOf = (block: Block<unknown>): Cost =>
  block.reduce((cost, { segment }) => sum(cost, segment), { tokens: 0, bytes: 0 })

const sum = (a: Cost, b: Cost, sign: 1 | -1 = 1): Cost => ({
  tokens: a.tokens + sign * b.tokens,
  bytes: a.bytes + sign * b.bytes,
})
