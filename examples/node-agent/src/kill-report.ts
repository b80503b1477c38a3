import type { Acknowledged } from './acknowledge.ts'
import type { KillPoint } from './kill-point.ts'
import { checkRecovery } from './recovery.ts'
import { formatNumber, type Print } from './report.ts'
import type { Resumed } from './resume.ts'
import type { Kill } from './settings.ts'
import type { Transcript } from './transcript.ts'

/** A recording that was cut off. */
export interface Cut {
  readonly transcript: Transcript
  /** Undefined for a transcript without entries, which is recorded to its end. */
  readonly killPoint: KillPoint | undefined
  readonly kill: Kill
  /** What had been acknowledged by then. */
  readonly acknowledged: readonly Acknowledged[]
}

/** Says, in half a sentence, where the recording was cut off. */
export function whereItWasCut({ transcript, killPoint, kill, acknowledged }: Cut): string {
  const done = `after ${formatNumber(acknowledged.length)} of ${formatNumber(transcript.entries.length)} entries were acknowledged`
  const when = kill === 'write' ? 'while the next one was being written' : 'while the tool ran'
  return killPoint?.inToolCall === false && kill !== 'write' ? `${done}; no tool is called in it` : `${done}, ${when}`
}

/** Compares what was acknowledged with what the process that took over found, prints the verdict, and returns whether all is well. */
export function judge(cut: Cut, { recovered, unanswered }: Resumed, print: Print): boolean {
  const { transcript, killPoint, kill, acknowledged } = cut
  // Only for this kill it was told to go on, and it waited again as soon as it had acknowledged one more.
  const isUnderWay = kill === 'write' && acknowledged.length === killPoint?.after
  const attempted = isUnderWay ? transcript.entries[acknowledged.length] : undefined
  const problems = checkRecovery(acknowledged, recovered, attempted?.id)
  const last = acknowledged.at(-1)
  if (last && killPoint?.inToolCall && kill !== 'write' && !unanswered.includes(last.id)) {
    problems.push('the tool call that was cut off was not found')
  }
  print('')
  for (const problem of problems) print(`WRONG: ${problem}`)
  if (problems.length > 0) return false
  const attempts = acknowledged.length + (attempted ? 1 : 0)
  print(
    `acknowledged ${formatNumber(acknowledged.length)} ⊆ recovered ${formatNumber(recovered.length)} ⊆ ` +
      `attempted ${formatNumber(attempts)}: nothing acknowledged is missing, every digest is the one acknowledged`,
  )
  return true
}
