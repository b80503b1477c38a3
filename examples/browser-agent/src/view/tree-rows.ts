import type { SessionTree, TreeNode } from '@sessiontree/core'

/** One line of the tree as it is shown. */
export interface TreeRow {
  readonly node: TreeNode
  /** How many times the path to it has left another branch. */
  readonly depth: number
  readonly isOnPath: boolean
  readonly isLeaf: boolean
}

const SHOWN: ReadonlySet<string> = new Set([
  'user_message',
  'assistant_message',
  'tool_call',
  'branch_summary',
  'compaction',
])

/** What a person wants to see of a tree, in the order of a walk through it; markers, drafts and results are passed over. */
export function treeRows({ nodes, leaf }: SessionTree): readonly TreeRow[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const visible = (id: string | null): string | null => {
    for (let node = byId.get(id ?? ''); node; node = byId.get(node.parentId ?? ''))
      if (SHOWN.has(node.type)) return node.id
    return null
  }
  const children = new Map<string | null, TreeNode[]>()
  for (const node of nodes) {
    if (!SHOWN.has(node.type)) continue
    const parent = visible(node.parentId)
    const siblings = children.get(parent)
    if (siblings) siblings.push(node)
    else children.set(parent, [node])
  }
  const shownLeaf = visible(leaf)
  const path = new Set<string>()
  for (let id = shownLeaf; id !== null; id = visible(byId.get(id)?.parentId ?? null)) path.add(id)

  const rows: TreeRow[] = []
  const stack: { readonly node: TreeNode; readonly depth: number }[] = []
  // The first branch goes straight on; those that were begun later stand further to the right.
  const push = (parent: string | null, depth: number) => {
    for (const [i, node] of [...(children.get(parent) ?? []).entries()].toReversed()) {
      stack.push({ node, depth: depth + Math.min(i, 1) })
    }
  }
  push(null, 0)
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, depth } = next
    rows.push({ node, depth, isOnPath: path.has(node.id), isLeaf: node.id === shownLeaf })
    push(node.id, depth)
  }
  return rows
}
