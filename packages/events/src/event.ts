import type { Random } from '@sessiontree/core'

/** An event as it is recorded. */
export interface NewEvent<Content = unknown> {
  readonly turnId: string
  readonly type: string
  readonly agentName: string
  /** Any JSON value. A string comes back character by character, also an empty one. */
  readonly content: Content
  /** Default: `ev-` and 16 hex digits. An id makes the call safe to repeat. */
  readonly id?: string | undefined
  /** When it happened: RFC 3339 in UTC, kept as it is. Default: now. Order is by sequence only. */
  readonly timestamp?: string | undefined
  /** May repeat the session's id; any other is refused. */
  readonly sessionId?: string | undefined
}

/** An event as it is stored. */
export interface SessionEvent<Content = unknown> {
  readonly id: string
  readonly sessionId: string
  /** 1, 2, 3 … without gaps; starts again after a clear. */
  readonly sequence: number
  /** Where it stands, for `page` and `follow`; one from before a clear is recognised. */
  readonly cursor: string
  readonly turnId: string
  readonly type: string
  readonly agentName: string
  readonly content: Content
  readonly timestamp: string
}

/** What is kept of an event; sequence, session and cursor follow from its place. */
export interface StoredEvent<Content> {
  readonly id: string
  readonly turnId: string
  readonly type: string
  readonly agentName: string
  readonly timestamp: string
  readonly content: Content
}

/** An id of its own: the prefix and 16 hex digits. */
export function freshId(prefix: string, random: Random): string {
  const digits = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, '0'))
  return `${prefix}-${digits.join('')}`
}
