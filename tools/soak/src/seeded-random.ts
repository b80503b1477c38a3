import type { Random } from '@sessiontree/core'

/** Randomness that a seed decides: the same seed and the same calls give the same values (xoshiro128**, seeded by splitmix32). */
export class SeededRandom implements Random {
  readonly #state: Uint32Array = new Uint32Array(4)

  constructor(seed: number) {
    let x = seed >>> 0
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      this.#state[i] = z ^ (z >>> 15)
    }
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const [x, y] = [c ^ a, d ^ b]
    this.#state[0] = a ^ y
    this.#state[1] = b ^ x
    this.#state[2] = x ^ (b << 9)
    this.#state[3] = (y << 11) | (y >>> 21)
    return result
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      const word = this.#next()
      for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j)
    }
    return bytes
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.#next() / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  /** Whether something of this probability happens. Draws even if it cannot: what else is drawn must not depend on it. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.between(0, items.length - 1)] as Item
  }

  /** Another source, which this one decides: what is drawn from it does not move this one. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next())
  }
}
