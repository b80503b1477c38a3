import {
  contentField,
  SessionError,
  type Entry,
  type RoleMessage,
  type Session,
  type Sessions,
} from '@sessiontree/core'
import { collect } from '../reading.ts'
import { outcomeOf } from '../rejection.ts'
import type { ModelEntry } from './model-state.ts'
import type { ModelSession } from './session-model.ts'

/** What a session looks like, whatever ids its entries have. */
export interface Shape {
  /** Of the entries, in order. */
  readonly ids: readonly string[]
  readonly plain: {
    /** Of each: its type (and status), the place of its parent (-1: none), its turn, its text. */
    readonly entries: readonly (readonly [string, number, string | null, string | null])[]
    readonly leaf: number
    readonly path: readonly number[]
    /** What the model is shown. */
    readonly texts: readonly unknown[]
  }
}

/** Reads all of a session. */
export async function shapeOf(session: Session<RoleMessage>): Promise<Shape> {
  const entries = await collect(session.entries())
  const ids = entries.map(({ id }) => id)
  const places = new Map(ids.map((id, at) => [id, at]))
  const placeOf = (id: string | null | undefined) => (id === null || id === undefined ? -1 : (places.get(id) ?? -2))
  const { messages } = await session.context()
  return {
    ids,
    plain: {
      entries: entries.map((entry) => [kindOf(entry), placeOf(entry.parentId), entry.turnId ?? null, textOf(entry)]),
      leaf: placeOf((await session.leaf())?.id),
      path: (await collect(session.path())).map(({ id }) => placeOf(id)),
      texts: messages.map(({ content }) => content),
    },
  }
}

function kindOf(entry: Entry): string {
  const status = contentField(entry, 'status')
  return typeof status === 'string' ? `${entry.type} ${status}` : entry.type
}

function textOf(entry: Entry): string | null {
  return 'message' in entry ? String((entry.message as RoleMessage)['content']) : null
}

/** What a session should look like. */
export function plainOf(model: ModelSession): Shape['plain'] {
  const { entries, leaf } = model
  const placeOf = (entry: ModelEntry | null) => (entry ? entries.indexOf(entry) : -1)
  const way = model.path()
  return {
    entries: entries.map(({ kind, parent, turn, text }) => [kind, placeOf(parent), turn ?? null, text ?? null]),
    leaf: placeOf(leaf),
    path: way.map(placeOf),
    texts: way.flatMap(({ text }) => (text === undefined ? [] : [text])),
  }
}

/** What {@link describe} should say. */
export function describeModel(model: ModelSession): string {
  if (model.isDeleted) return 'DELETED'
  const { lease } = model
  return JSON.stringify([plainOf(model), lease ? [lease.turn, lease.epoch] : null])
}

/** What a session is, in one text: its shape and its lease, or why it cannot be opened. */
export async function describe(sessions: Sessions<RoleMessage>, id: string): Promise<string> {
  const opened = await outcomeOf(sessions.open(id))
  if (!opened.ok) return SessionError.is(opened.error) ? opened.error.code : String(opened.error)
  const { plain } = await shapeOf(opened.value)
  const lease = await opened.value.activeTurn()
  return JSON.stringify([plain, lease ? [lease.turnId, lease.epoch] : null])
}
