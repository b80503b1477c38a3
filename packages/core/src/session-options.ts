import type { EntryReference } from './ancestry.ts'
import type { Environment } from './environment.ts'
import type { InFlight } from './in-flight.ts'
import type { MessageFormat } from './message-format.ts'
import type { ScopeNames } from './names.ts'
import type { Signal } from './runtime.ts'
import type { SessionDocument } from './session-document.ts'

/** Options of calls that only look. */
export interface ReadOptions {
  /** Rejects with its reason as soon as it aborts. */
  readonly signal?: Signal | undefined
}

/** Options of {@link Session.path}. */
export interface PathOptions extends ReadOptions {
  /** The entry to end with. Default: the leaf. */
  readonly leaf?: EntryReference | undefined
  /** Only the last so many entries. */
  readonly last?: number | undefined
}

/** Options of {@link Session.moveTo}. */
export interface MoveOptions {
  /** Also while a turn is open. */
  readonly force?: boolean | undefined
  /** As for {@link Session.append}. */
  readonly signal?: Signal | undefined
}

/** What a {@link Session} is made of. */
export interface SessionOptions<Message> extends Environment {
  readonly names: ScopeNames
  readonly document: SessionDocument
  /** The version of the document, if it is known. */
  readonly version?: string | undefined
  readonly format: MessageFormat<Message>
  readonly inFlight: InFlight
}
