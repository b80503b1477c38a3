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
  const stack: { readonly node: TreeNode; readonly depth: number; readonly instead: readonly TreeNode[] }[] = []
  const push = (parent: string | null, depth: number) => {
    const [node, ...instead] = children.get(parent) ?? []
    if (node) stack.push({ node, depth, instead })
  }
  push(null, 0)
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, depth, instead } = next
    rows.push({ node, depth, isOnPath: path.has(node.id), isLeaf: node.id === shownLeaf })
    // What the first one leads to goes straight on, below what was begun instead of it, which stands further to the right.
    push(node.id, depth)
    for (const other of instead.toReversed()) stack.push({ node: other, depth: depth + 1, instead: [] })
  }
  return rows
}
