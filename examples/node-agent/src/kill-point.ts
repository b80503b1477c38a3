import type { TranscriptEntry } from './transcript.ts'
import { xorshift32 } from './xorshift32.ts'

/** Where in a transcript the recording process is killed. */
export interface KillPoint {
  /** How many entries it has acknowledged by then. */
  readonly after: number
  /** Whether the last of them is a tool call whose result comes next. */
  readonly inToolCall: boolean
  /** For a kill during the next write: how many milliseconds after it was told to go on. */
  readonly delay: number
  /** For a torn line: how much of the line gets there, from 0 to 1. */
  readonly torn: number
}

// The first numbers of small seeds lie close together.
const WARM_UP = 16
const LONGEST_DELAY = 4

/**
 * Chooses with a seed where to kill: behind one of the tool calls whose result comes next, or behind any entry where there is no such call;
 * undefined for a transcript without entries.
 */
export function chooseKillPoint(
  entries: readonly Pick<TranscriptEntry, 'id' | 'parentId' | 'content'>[],
  seed: number,
): KillPoint | undefined {
  const fraction = xorshift32(seed)
  for (let i = 0; i < WARM_UP; i++) fraction()
  const calls = entries.flatMap(({ id, content }, i) => {
    const next = entries[i + 1]
    const isAnswered = next?.parentId === id && next.content.type === 'tool_result'
    return content.type === 'tool_call' && isAnswered ? [i + 1] : []
  })
  const points = calls.length > 0 ? calls : entries.map((_, i) => i + 1)
  const after = points[Math.floor(fraction() * points.length)]
  if (after === undefined) return undefined
  return { after, inToolCall: calls.length > 0, delay: Math.floor(fraction() * LONGEST_DELAY), torn: fraction() }
}
