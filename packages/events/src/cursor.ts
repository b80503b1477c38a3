import { ConflictError } from '@sessiontree/core'

/** A place in a session's events: everything up to `sequence` is behind it. */
export interface Cursor {
  /** Undefined for a bare sequence number: it means the events as they are now. */
  readonly incarnation: number | undefined
  readonly sequence: number
}

export const cursorOf = (incarnation: number, sequence: number): string => `${incarnation}.${sequence}`

/** Reads a cursor, or a bare sequence number; undefined is the beginning. */
export function parseCursor(after: string | number | undefined): Cursor {
  if (after === undefined) return { incarnation: undefined, sequence: 0 }
  const [, incarnation, digits] = /^(?:(\d{1,15})\.)?(\d{1,15})$/.exec(String(after)) ?? []
  if (digits === undefined) {
    throw new TypeError(
      `after: expected the cursor of an event, or a sequence number from 0, got ${JSON.stringify(after)}`,
    )
  }
  return { incarnation: incarnation === undefined ? undefined : Number(incarnation), sequence: Number(digits) }
}

/** The error for a cursor that nothing can come after. */
export function staleCursor({ sequence }: Cursor): ConflictError {
  return new ConflictError(
    `The events were cleared since this cursor was given out (or it is of another session): there is no event ${sequence} to go on from. ` +
      'Start again from the beginning.',
  )
}
