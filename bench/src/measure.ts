/** Something that is measured. */
export interface Contestant {
  readonly name: string
  /** The contestant that it is compared with. Default: none. */
  readonly floor?: string
  /** Prepares one round, uncounted; the function that comes back is what is measured. */
  prepare(): Promise<Round> | Round
}

/** One round of a contestant. */
export interface Round {
  /** The work; resolves with how many records it wrote. */
  run(): Promise<number> | number
  /** Cleans up, uncounted. */
  end?(): Promise<void> | void
}

/** What one contestant achieved. */
export interface Result {
  readonly name: string
  /** Records per second: the median of all rounds, the slowest and the fastest. */
  readonly median: number
  readonly slowest: number
  readonly fastest: number
  /** The median of the ratios to the floor, round by round. */
  readonly ratio: number | undefined
  readonly floor: string | undefined
}

/**
 * Runs every contestant once in each round, and one round before that does not count.
 *
 * Contract
 * - A ratio compares two measurements of the same round: what slows the machine down for a while slows both.
 */
export async function measure(contestants: readonly Contestant[], rounds: number): Promise<readonly Result[]> {
  const rates: Map<string, number[]> = new Map(contestants.map(({ name }) => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const contestant of contestants) {
      const work = await contestant.prepare()
      const start = performance.now()
      const records = await work.run()
      const seconds = (performance.now() - start) / 1000
      await work.end?.()
      if (round >= 0) rates.get(contestant.name)?.push(records / seconds)
    }
  }
  return contestants.map(({ name, floor }) => {
    const own = rates.get(name) ?? []
    const floors = floor === undefined ? undefined : rates.get(floor)
    const ratio = floors && median(own.map((rate, round) => rate / (floors[round] ?? NaN)))
    return { name, median: median(own), slowest: Math.min(...own), fastest: Math.max(...own), ratio, floor }
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** The results as a table in Markdown. */
export function table(results: readonly Result[]): string {
  const whole = (rate: number) => Math.round(rate).toLocaleString('en')
  const rows = results.map(({ name, median: middle, slowest, fastest, ratio, floor }) => [
    name,
    whole(middle),
    `${whole(slowest)}–${whole(fastest)}`,
    ratio === undefined ? '' : `${ratio.toFixed(2)} × ${floor}`,
  ])
  const lines = [['', 'records/s', 'slowest–fastest', 'ratio'], ['---', '--:', '--:', '---'], ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
