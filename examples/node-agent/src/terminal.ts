const NARROWEST = 60
const WIDEST = 160
const WITHOUT_A_TERMINAL = 100

/** How many columns to print: those of the terminal, within reason. */
export function terminalColumns(): number {
  return Math.min(WIDEST, Math.max(NARROWEST, process.stdout.columns ?? WITHOUT_A_TERMINAL))
}
