import type { Run } from './soak.ts'

/** Adds up what runs came to. */
export class Summary {
  failed = 0
  readonly #target: string
  readonly #faults: Map<string, number> = new Map()
  readonly #totals: Record<keyof Run['counts'], number> = {
    acknowledged: 0,
    lost: 0,
    crashes: 0,
    powerLosses: 0,
    calls: 0,
  }
  #seeds = 0

  constructor(target: string) {
    this.#target = target
  }

  add({ violations, faults, counts }: Run): void {
    this.#seeds++
    if (violations.length > 0) this.failed++
    for (const [kind, count] of faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count)
    for (const key of Object.keys(counts) as (keyof Run['counts'])[]) this.#totals[key] += counts[key]
  }

  get acknowledged(): number {
    return this.#totals.acknowledged
  }

  text(): string {
    const { acknowledged, lost, crashes, powerLosses, calls } = this.#totals
    const faults = [...this.#faults].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${kind} ${count}`)
    return [
      `${this.#target}: ${this.#seeds} seeds, ${this.failed} failed`,
      `  calls ${calls}, writes acknowledged ${acknowledged}, lost ${lost}`,
      `  processes killed ${crashes}, power losses ${powerLosses}`,
      `  faults: ${faults.join(', ') || 'none'}`,
    ].join('\n')
  }
}
