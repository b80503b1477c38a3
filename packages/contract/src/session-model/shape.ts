import { contentField, type Entry, type RoleMessage, type Session } from '@sessiontree/core'
import { collect } from '../reading.ts'

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
