import type { ErrorCode } from '@sessiontree/core'

/** An entry as the model knows it. */
export interface ModelEntry {
  /** Undefined until somebody has read an id that core made. */
  id: string | undefined
  readonly parent: ModelEntry | null
  /** Its type, and of a marker the status. */
  readonly kind: string
  readonly text: string | undefined
  readonly turn: string | undefined
}

/** What one handle has been shown of a session: undefined before anything was. */
export interface View {
  shown: ModelEntry | null | undefined
  /** How often the leaf had moved by then. */
  moves: number
  /** How many records the handle is sure to know of: it may know of more. */
  records: number
}

/** Of a handle that was shown nothing yet. */
export const newView = (): View => ({ shown: undefined, moves: 0, records: -1 })

/** One holder of a turn. */
export interface ModelTurn {
  readonly id: string
  readonly owner: string
  readonly epoch: number
  tip: ModelEntry
  state: 'open' | 'ended' | 'lost'
  endedBy: string | undefined
  /** What it rejects with once it is lost. */
  lostAs: ErrorCode
}

/** Who may write turns, and until when. */
export interface Lease {
  readonly turn: string
  readonly owner: string
  readonly epoch: number
  readonly expiresAt: number
}

/** What an append is told. */
export interface AppendRequest {
  readonly ids: readonly string[]
  readonly onConflict: 'reject' | 'rebase' | 'fork'
  readonly parent: ModelEntry | null | undefined
  readonly leaf: 'take' | 'keep'
  readonly force: boolean
}
