import { contentField } from '../entry-types.ts'
import { isMessageEntry, type Entry, type Position } from '../entry.ts'
import { takeApart } from '../context/visible.ts'
import { previewOf } from '../context/segment.ts'
import type { MessageFormat } from '../message-format.ts'
import type { Leaf } from '../record.ts'
import { preview } from '../preview.ts'
import { readEntries } from '../session-reads.ts'
import type { ReadOptions } from '../session-options.ts'
import type { SessionState } from '../session-state.ts'

/** A session's entries without their content, and its branches. */
export interface SessionTree {
  /** Every entry but labels, in the order of appending: a parent comes before its children. */
  readonly nodes: readonly TreeNode[]
  /** One for each end, the one that was begun first before the others. */
  readonly branches: readonly TreeBranch[]
  /** The id of the active end; null before the first entry. */
  readonly leaf: string | null
}

/** An entry without its content. */
export interface TreeNode {
  readonly id: string
  readonly parentId: string | null
  readonly type: string
  readonly turnId?: string
  readonly createdAt: string
  readonly position: Position
  /** The first 80 code points of what it says. */
  readonly preview: string
  /** What {@link Session.label} last put on it. */
  readonly label?: string
}

/** The entries from where a branch leaves the others to its end. */
export interface TreeBranch {
  /** The id of its last entry: `path({ leaf: tip })` reads the whole of it. */
  readonly tip: string
  /** The id of the last entry that it shares with another branch; null if it shares none. */
  readonly forkPoint: string | null
  /** How many entries it has behind the fork point. */
  readonly entries: number
  /** Whether it is the one that the leaf ends. Where the leaf was moved back to an entry with children, the branch that ends there. */
  readonly isActive: boolean
}

const PREVIEW_LENGTH = 80

/** Reads the shape of a session: see {@link Session.tree}. */
export async function readTree<Message>(
  state: SessionState<Message>,
  options: ReadOptions,
  looking: Promise<Leaf | null>,
): Promise<SessionTree> {
  const { format } = state.options
  const nodes: TreeNode[] = []
  const labels = new Map<string, string | null>()
  const leaf = (await looking)?.id ?? null
  for await (const entry of readEntries(state, options)) {
    if (entry.type === 'label') labels.set(entry.target, entry.label)
    else nodes.push(nodeOf(entry, format))
  }
  for (const [at, node] of nodes.entries()) {
    const label = labels.get(node.id)
    if (typeof label === 'string') nodes[at] = { ...node, label }
  }
  return { nodes, branches: branchesOf(nodes, leaf), leaf }
}

function nodeOf<Message>(entry: Entry<Message>, format: MessageFormat<Message>): TreeNode {
  const { id, parentId, type, turnId, createdAt, position } = entry
  return {
    id,
    parentId,
    type,
    ...(turnId === undefined ? {} : { turnId }),
    createdAt,
    position,
    preview: textOf(entry, format),
  }
}

/** What an entry says, whatever its type. */
function textOf<Message>(entry: Entry<Message>, format: MessageFormat<Message>): string {
  if (isMessageEntry(entry)) {
    const { message } = entry
    return message === undefined || message === null
      ? ''
      : previewOf(takeApart(message, entry.type, format), PREVIEW_LENGTH)
  }
  for (const field of ['summary', 'error', 'status', 'name', 'model']) {
    const text = contentField(entry, field)
    if (typeof text === 'string') return preview(text, PREVIEW_LENGTH)
  }
  return ''
}

/** The branches of a tree whose nodes come after their parents. No recursion: a session may be one long path. */
function branchesOf(nodes: readonly TreeNode[], leaf: string | null): readonly TreeBranch[] {
  const parents = new Map(nodes.map(({ id, parentId }) => [id, parentId]))
  const children = new Map<string | null, number>()
  for (const { parentId } of nodes) children.set(parentId, (children.get(parentId) ?? 0) + 1)
  const branches: TreeBranch[] = []
  for (const { id } of nodes) {
    const isTip = !children.has(id)
    if (!isTip && id !== leaf) continue
    let entries = 1
    let above = parents.get(id) ?? null
    while (above !== null && parents.has(above) && children.get(above) === 1) {
      entries++
      above = parents.get(above) ?? null
    }
    const forkPoint = above !== null && parents.has(above) ? above : null
    branches.push({ tip: id, forkPoint, entries, isActive: id === leaf })
  }
  return branches
}
