import type { Entry, RoleMessage } from '@sessiontree/core'
import { fateOf, type Outcome, type World } from './world.ts'

/** One call that appends: messages that become visible together. */
export interface Append {
  readonly session: string
  readonly texts: readonly string[]
  readonly ids: readonly string[] | undefined
  fate: 'acknowledged' | 'failed' | 'unknown'
}

/** What the clients of one session did, as far as they know. */
export interface Attempts {
  readonly appends: readonly Append[]
  /** Keys of the metadata that each was set by one update. */
  readonly updates: ReadonlyMap<string, 'acknowledged' | 'failed' | 'unknown'>
  readonly isCreated: boolean
  /** Whether a deletion was begun, and whether one was acknowledged. */
  readonly isDeleted: 'yes' | 'perhaps' | 'no'
}

/** The reason of an abort. */
export class Aborted extends Error {}

/** An abort before the messages were on their way is a failure: nothing is written. */
export function fateOfAppend(outcome: Outcome<unknown>): Append['fate'] {
  return 'error' in outcome && outcome.error instanceof Aborted ? 'failed' : fateOf(outcome)
}

/** Says what is wrong with the entries that an append resolved with. */
export function checkAppended(world: World, entries: readonly Entry<RoleMessage>[], { texts, ids }: Append): void {
  const found = entries.map((entry) => textOf(entry))
  const what = `append of ${short(texts[0])}`
  if (found.length !== texts.length || found.some((text, i) => text !== texts[i])) {
    world.violate(`${what} resolved with other messages: ${found.map(short).join(', ')}`)
  }
  if (ids && entries.some(({ id }, i) => id !== ids[i])) world.violate(`${what} has other ids`)
  for (const [i, { parentId }] of entries.entries()) {
    if (i > 0 && parentId !== entries[i - 1]?.id) world.violate(`${what} is no chain`)
  }
}

/** The text of an entry's message. */
export function textOf(entry: Entry<RoleMessage>): string {
  return String((entry as unknown as { message?: RoleMessage }).message?.['content'])
}

/** As much of a text as names it. */
export const short = (text: string | undefined): string => String(text).slice(0, 12)
