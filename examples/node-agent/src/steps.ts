import { SessionError } from '@sessiontree/core'
import type { MemoryStore } from '@sessiontree/memory'
import { readFile } from 'node:fs/promises'
import { generateTranscript } from './generate-transcript.ts'
import { InputError } from './input-error.ts'
import { openPlace } from './places.ts'
import { record, type Recorded } from './record.ts'
import { formatNumber, type Print } from './report.ts'
import type { Settings } from './settings.ts'
import { show } from './show.ts'
import { parseTranscript, type Transcript } from './transcript.ts'

/** What a step of the demo works with. */
export interface StepOptions {
  readonly settings: Settings
  readonly print: Print
  readonly signal: AbortSignal
  readonly columns: number
  /** The store that both steps share when `memory` is the adapter. */
  readonly store?: MemoryStore
}

/** Reads the whole transcript, then records it. A transcript that is no good writes nothing. */
export async function recordStep({ settings, print, signal, store }: StepOptions): Promise<Recorded> {
  const transcript = await readTranscript(settings.transcript)
  const id = settings.id ?? transcript.id
  const place = await openPlace(settings, store, true).catch((error: unknown) => {
    // Everything but --dir has been checked.
    throw error instanceof TypeError ? new InputError(`--dir: ${error.message}`) : error
  })
  print(`record: process ${process.pid}, ${settings.adapter} ${settings.dir}`.trimEnd())
  print(`  ${settings.transcript ?? 'a generated transcript'}`)
  print(
    `  pi version ${transcript.version}, ${formatNumber(transcript.entries.length)} entries and a header, ` +
      `${formatNumber(transcript.bytes)} bytes`,
  )
  print('')
  try {
    return await record({ transcript, place, id, print, signal })
  } catch (error) {
    if (!SessionError.is(error, 'EXISTS')) throw error
    throw new InputError(`session ${JSON.stringify(id)} is in ${settings.dir} already; choose another --id or --dir`)
  } finally {
    await place.close()
  }
}

/** Reads the session back and resolves with whether all of it is as recorded. */
export async function showStep(recorded: Recorded, options: StepOptions): Promise<boolean> {
  const { settings, print, signal, columns, store } = options
  print(`\nshow: process ${process.pid}, ${settings.adapter} ${settings.dir}`.trimEnd())
  const place = await openPlace(settings, store, false)
  try {
    return await show({ recorded, place, print, signal, columns })
  } finally {
    await place.close()
  }
}

async function readTranscript(path: string | undefined): Promise<Transcript> {
  if (path === undefined) return parseTranscript(generateTranscript())
  const text = await readText(path)
  try {
    return parseTranscript(text)
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${path}: ${error.message}`)
    throw error
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError(`${path}: not a pi session: it is no text in UTF-8`)
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder'
    case 'EACCES':
      return 'permission denied'
    default:
      return (error as Error).message
  }
}
