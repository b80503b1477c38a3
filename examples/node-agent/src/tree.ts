/** An entry as the tree shows it. */
export interface TreeNode {
  readonly id: string
  readonly parentId: string | null
  /** What stands in its line. */
  readonly text: string
}

/** What stands behind the entry where the session goes on, and behind the end of a branch that was left. */
export const MARKS = { leaf: '  ◀ leaf', abandoned: '  ◁ abandoned' } as const
export const LONGEST_MARK: number = Math.max(...Object.values(MARKS).map(({ length }) => length))

const SHOWN_AT_EACH_END = 3
const DEEPEST = 10

/**
 * Draws a tree, one line for an entry: the path to the leaf runs straight down, other branches are set in, and the middle of a long run
 * without branches is left out. `abandoned` is the end of a branch that was left, to be marked as well.
 */
export function drawTree(nodes: readonly TreeNode[], leafId: string | undefined, abandoned?: string): string[] {
  const children = childrenOf(nodes)
  const active = pathTo(nodes, leafId)
  const mark = (id: string) => (id === leafId ? MARKS.leaf : id === abandoned ? MARKS.abandoned : '')
  const lines: string[] = []

  const straightOn = (alternatives: readonly TreeNode[]) =>
    alternatives.find(({ id }) => active.has(id)) ?? alternatives.at(-1)

  // `siblings` are the alternatives at one point: the active one, else the newest, goes on in this column.
  const draw = (siblings: readonly TreeNode[], indent: string, depth: number) => {
    let alternatives = siblings
    let run: TreeNode[] = []
    const flush = () => {
      lines.push(...drawRun(run, indent, mark))
      run = []
    }
    for (let straight = straightOn(alternatives); straight; straight = straightOn(alternatives)) {
      if (alternatives.length > 1) flush()
      for (const branch of alternatives) {
        if (branch === straight) continue
        const first = lines.length
        if (depth < DEEPEST) draw([branch], `${indent}│ `, depth + 1)
        else lines.push(`${indent}│ … ${countBelow(branch, children)} entries, set in too deep to show …`)
        lines[first] = `${indent}├─${(lines[first] as string).slice(indent.length + 2)}`
      }
      run.push(straight)
      // What is marked stays visible in the middle of a run, too.
      if (mark(straight.id) !== '') flush()
      alternatives = children.get(straight.id) ?? []
    }
    flush()
  }
  draw(children.get(null) ?? [], '', 0)
  return lines
}

function drawRun(run: readonly TreeNode[], indent: string, mark: (id: string) => string): string[] {
  const line = ({ id, text }: TreeNode) => `${indent}● ${text}${mark(id)}`
  const hidden = run.length - 2 * SHOWN_AT_EACH_END
  // Leaving one out would save nothing.
  if (hidden < 2) return run.map(line)
  return [
    ...run.slice(0, SHOWN_AT_EACH_END).map(line),
    `${indent}┊ … ${hidden.toLocaleString('en-US')} entries …`,
    ...run.slice(-SHOWN_AT_EACH_END).map(line),
  ]
}

function childrenOf(nodes: readonly TreeNode[]): ReadonlyMap<string | null, readonly TreeNode[]> {
  return Map.groupBy(nodes, ({ parentId }) => parentId)
}

function pathTo(nodes: readonly TreeNode[], leafId: string | undefined): ReadonlySet<string> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const path = new Set<string>()
  for (let node = leafId === undefined ? undefined : byId.get(leafId); node && !path.has(node.id);) {
    path.add(node.id)
    node = node.parentId === null ? undefined : byId.get(node.parentId)
  }
  return path
}

function countBelow(top: TreeNode, children: ReadonlyMap<string | null, readonly TreeNode[]>): number {
  const waiting = [top]
  let count = 0
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    count++
    for (const child of children.get(node.id) ?? []) waiting.push(child)
  }
  return count
}
