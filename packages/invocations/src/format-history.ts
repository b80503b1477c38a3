import type { Invocation } from './invocation.ts'
import { statusOf } from './status.ts'

/** Options of {@link formatHistory}. */
export interface HistoryOptions {
  /** Invocations of this phase are left out: it is the one that is about to run. */
  readonly excludePhase?: string | undefined
}

/**
 * Describes earlier invocations for a prompt, one line each, oldest first; `""` for none.
 *
 * @example
 * formatHistory(invocations, { excludePhase: 'review' })
 * // Earlier in this session:
 * // - tdd (red): fail after 2 attempts: small → large. The test still passes.
 */
export function formatHistory(invocations: readonly Invocation[], { excludePhase }: HistoryOptions = {}): string {
  const lines = invocations
    .filter(({ phase }) => excludePhase === undefined || phase !== excludePhase)
    .map((invocation) => `- ${describe(invocation)}\n`)
  return lines.length === 0 ? '' : `Earlier in this session:\n${lines.join('')}`
}

function describe({ skill, phase, final_status, attempts = [], message }: Invocation): string {
  const status = statusOf(final_status) ?? final_status
  const tries =
    attempts.length > 1 ? ` after ${attempts.length} attempts: ${attempts.map(({ model }) => model).join(' → ')}` : ''
  const said = message ?? attempts.at(-1)?.output_summary
  // One line each, whatever a runner printed.
  const note = said ? `. ${said.replace(/\s+/g, ' ').trim()}` : ''
  return `${skill}${phase ? ` (${phase})` : ''}: ${status}${tries}${note}`
}
