import type { Entry } from '@sessiontree/core'
import type { PiMessage } from './pi-format.ts'
import { clip, preview, summaryOf, visible } from './preview.ts'
import { formatNumber, type Print } from './report.ts'
import { drawTree, LONGEST_MARK, MARKS, type TreeNode } from './tree.ts'

const MOST_LINES = 120
const DIGEST_SHOWN = 7
const TYPE_WIDTH = 17
// The margin, the bullet, the digest, the type with their gaps, and the mark.
const BESIDE_THE_PREVIEW = 2 + 2 + DIGEST_SHOWN + 2 + TYPE_WIDTH + LONGEST_MARK

/** An entry in one line: the beginning of its digest, its type and what it says. */
export function entryLine(entry: Entry<PiMessage>, columns: number): string {
  const { digest, type } = entry
  const what = preview(summaryOf(entry), columns - BESIDE_THE_PREVIEW)
  return `${digest.slice(0, DIGEST_SHOWN)}  ${visible(type).padEnd(TYPE_WIDTH)}  ${what}`.trimEnd()
}

/** Prints a session's tree, the leaf marked, and at `abandoned` the end of a branch that was left; a very long one without its middle. */
export function printTree(
  nodes: readonly TreeNode[],
  options: {
    readonly leafId: string | undefined
    readonly abandoned?: string | undefined
    readonly print: Print
    readonly columns: number
  },
): void {
  const { leafId, abandoned, print, columns } = options
  for (const line of middleLeftOut(drawTree(nodes, leafId, abandoned))) {
    // Set in deep, a line loses words, not its mark.
    const mark = Object.values(MARKS).find((text) => line.endsWith(text)) ?? ''
    print(`  ${clip(line.slice(0, line.length - mark.length), columns - 2 - mark.length)}${mark}`)
  }
}

/** An entry as the tree shows it. */
export function treeNode(entry: Entry<PiMessage>, columns: number): TreeNode {
  return { id: entry.id, parentId: entry.parentId, text: entryLine(entry, columns) }
}

function middleLeftOut(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_LINES) return lines
  const half = MOST_LINES / 2
  return [...lines.slice(0, half), `… ${formatNumber(lines.length - MOST_LINES)} more lines …`, ...lines.slice(-half)]
}
