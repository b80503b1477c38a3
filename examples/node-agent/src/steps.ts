import { SessionError } from '@sessiontree/core'
import type { MemoryStore } from '@sessiontree/memory'
import type { Acknowledge } from './acknowledge.ts'
import { InputError } from './input-error.ts'
import { openPlace } from './places.ts'
import { record, recordRest, type Recorded } from './record.ts'
import { formatNumber, type Print } from './report.ts'
import { resume, type Resumed } from './resume.ts'
import type { Settings } from './settings.ts'
import { show } from './show.ts'
import type { Transcript } from './transcript.ts'

/** What a step of the demo works with. */
export interface StepOptions {
  readonly settings: Settings
  readonly transcript: Transcript
  readonly print: Print
  readonly signal: AbortSignal
  readonly columns: number
  /** The store that all steps share when `memory` is the adapter. */
  readonly store?: MemoryStore
}

/** What the last step needs to know of those before it, as plain JSON. */
export interface Rest {
  /** How many entries were acknowledged: recording goes on behind them. */
  readonly from: number
  /** The entries of the branch that is not the transcript's. */
  readonly added: readonly string[]
}

/** The id under which a transcript is recorded. */
export const sessionId = ({ settings, transcript }: Pick<StepOptions, 'settings' | 'transcript'>): string =>
  settings.id ?? transcript.id

/** Records the transcript from the beginning, and says of every entry that it is stored before it begins the next one. */
export async function recordStep(options: StepOptions, acknowledge: Acknowledge): Promise<Recorded> {
  const { settings, transcript, print, signal, store } = options
  const id = sessionId(options)
  const place = await openPlace(settings, store, true).catch((error: unknown) => {
    // Everything but --dir has been checked.
    throw error instanceof TypeError ? new InputError(`--dir: ${error.message}`) : error
  })
  announce('record', options)
  print(`  ${settings.transcript ?? 'a generated transcript'}`)
  print(
    `  pi version ${transcript.version}, ${formatNumber(transcript.entries.length)} entries and a header, ` +
      `${formatNumber(transcript.bytes)} bytes`,
  )
  try {
    return await record({ transcript, place, id, print, signal, acknowledge })
  } catch (error) {
    if (!SessionError.is(error, 'EXISTS')) throw error
    throw new InputError(`session ${JSON.stringify(id)} is in ${settings.dir} already; choose another --id or --dir`)
  } finally {
    await place.close()
  }
}

/** Takes over from a recording that was killed, and goes on with another branch. */
export async function resumeStep(options: StepOptions): Promise<Resumed> {
  const { settings, print, signal, columns, store } = options
  announce('\nresume', options)
  const place = await openPlace(settings, store, false)
  try {
    return await resume({ id: sessionId(options), place, print, signal, columns })
  } finally {
    await place.close()
  }
}

/** Records the rest after all, reads everything back from a place opened anew, and resolves with whether all of it is right. */
export async function finishStep({ from, added }: Rest, options: StepOptions): Promise<boolean> {
  const { settings, transcript, print, signal, columns, store } = options
  announce('\nfinish', options)
  print(`  back on the first branch: entries ${formatNumber(from + 1)} to ${formatNumber(transcript.entries.length)}`)
  print('')
  const place = await openPlace(settings, store, false)
  let recorded: Recorded
  try {
    recorded = await recordRest({ transcript, place, id: sessionId(options), print, signal }, from)
  } finally {
    await place.close()
  }
  announce('\nshow', options)
  const again = await openPlace(settings, store, false)
  try {
    return await show({ recorded, added, place: again, print, signal, columns })
  } finally {
    await again.close()
  }
}

function announce(step: string, { settings, print }: StepOptions): void {
  print(`${step}: process ${process.pid}, ${settings.adapter} ${settings.dir}`.trimEnd())
}
