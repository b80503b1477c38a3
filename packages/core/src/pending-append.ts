import { ConflictError } from './errors.ts'
import type { Draft, JournalRecord } from './records.ts'
import type { Signal } from './runtime.ts'

/**
 * Encodes what one call appends, behind what the draft holds: no text if there is nothing to append, undefined to be asked again
 * after looking what others appended. Asked again whenever others were first; throws to give up. `fresh` says that the draft knows
 * what others appended just now.
 */
export type Encode = (draft: Draft, fresh: boolean) => Promise<readonly string[] | undefined>

/** Options of {@link Journal.append}. */
export interface JournalAppendOptions {
  /** The ids of its records, for errors. */
  readonly ids: readonly string[]
  /** Called with the records, at least one, before the next operation starts. */
  readonly stored?: (records: readonly JournalRecord[]) => void
  /** Whether the window must reach as far back as ids are recognised. */
  readonly recognise?: boolean
  /** It goes where the call before it left off that `leads` the same: if that one is rejected, so is this one. */
  readonly follows?: unknown
  /** It decides where the next call goes that `follows` the same. */
  readonly leads?: unknown
  readonly signal?: Signal | undefined
}

/** One call's part of a batch. */
export interface Append {
  readonly encode: Encode
  readonly options: JournalAppendOptions
  /** The call that it goes behind, until it has ended: a handle that is never idle would keep every call it ever made. */
  behind: Append | undefined
  /** When it was called, by the journal's own count. */
  readonly calledAt: number
  /** Why it was rejected; taken back if it turns out to have been stored. */
  failure?: { readonly error: unknown } | undefined
  /** Whether it must go alone, because a batch that it shared was refused. */
  isAlone: boolean
  isHandedOver: boolean
  /** Its part of the batch, as it was encoded last. */
  drafted: readonly JournalRecord[]
  readonly resolve: (records: readonly JournalRecord[]) => void
  readonly reject: (error: unknown) => void
}

export interface Look {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Why a call that went behind this one is rejected. */
export function notStored({ options }: Append): ConflictError {
  const names = options.ids.map((id) => JSON.stringify(id)).join(', ')
  return new ConflictError(`Another writer was first, so that what this call follows (${names}) was not stored.`)
}

export interface Gathered {
  readonly draft: Draft
  readonly appends: Append[]
  /** How many of the draft's records each call has. */
  readonly counts: Map<Append, number>
}
