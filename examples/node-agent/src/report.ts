import { visible } from './preview.ts'
import type { TallyRow } from './tally.ts'

/** Prints one line for the person at the terminal. */
export type Print = (line: string) => void

const grouped = new Intl.NumberFormat('en-US')

/** 12345 → 12,345 */
export const formatNumber = (value: number): string => grouped.format(value)

/** Lays rows out in columns, two spaces in; a column that holds a number is aligned to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)))
  const widths = cells.reduce<number[]>(
    (all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)).concat(all.slice(row.length)),
    [],
  )
  const isNumeric = widths.map((_, i) => rows.some((row) => typeof row[i] === 'number'))
  return cells.map((row) => {
    const columns = row.map((cell, i) =>
      isNumeric[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number),
    )
    return `  ${columns.join('  ')}`.trimEnd()
  })
}

/** A table of what the entries are in pi's file and what they are stored as. */
export function tallyLines(rows: readonly TallyRow[]): string[] {
  const total = rows.reduce((sum, { count }) => sum + count, 0)
  const lines = rows.map(({ kind, type, count }) => [visible(kind), visible(type), count])
  return table([["in pi's file", 'stored as', 'entries'], ...lines, ['', 'together', total]])
}

/** Prints how far a long piece of work has come: every so many steps and at least every second, but not for a short one. */
export class Progress {
  readonly #print: Print
  readonly #total: number
  readonly #what: string
  readonly #now: () => number
  #printed: number

  constructor(options: {
    readonly print: Print
    readonly total: number
    readonly what: string
    readonly now?: () => number
  }) {
    this.#print = options.print
    this.#total = options.total
    this.#what = options.what
    this.#now = options.now ?? (() => performance.now())
    this.#printed = this.#now()
  }

  step(done: number): void {
    if (done === this.#total) return
    if (done % EVERY_STEPS !== 0 && this.#now() - this.#printed < EVERY_MILLISECONDS) return
    this.#printed = this.#now()
    this.#print(`  ${formatNumber(done)} of ${formatNumber(this.#total)} ${this.#what}`)
  }
}

const EVERY_STEPS = 200
const EVERY_MILLISECONDS = 1000
