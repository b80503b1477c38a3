import { expect, test } from 'vitest'
import { drawTree, type TreeNode } from '../src/tree.ts'

// 'a b c' is a chain; 'a b / a c' gives a two children.
function tree(...chains: string[]): TreeNode[] {
  const nodes = new Map<string, TreeNode>()
  for (const chain of chains) {
    let parentId: string | null = null
    for (const id of chain.split(' ')) {
      if (!nodes.has(id)) nodes.set(id, { id, parentId, text: id })
      parentId = id
    }
  }
  return [...nodes.values()]
}

test('nothing draws nothing', () => {
  expect(drawTree([], undefined)).toEqual([])
})

test('a short chain stands in full, with its leaf marked', () => {
  expect(drawTree(tree('a b c'), 'c')).toEqual(['● a', '● b', '● c  ◀ leaf'])
})

test('the middle of a long run is left out and counted', () => {
  const chain = Array.from({ length: 1006 }, (_, i) => `n${i}`).join(' ')
  expect(drawTree(tree(chain), 'n1005')).toEqual([
    '● n0',
    '● n1',
    '● n2',
    '┊ … 1,000 entries …',
    '● n1003',
    '● n1004',
    '● n1005  ◀ leaf',
  ])
})

test('a run that would lose a single entry stays whole', () => {
  expect(drawTree(tree('a b c d e f g'), 'g')).toHaveLength(7)
})

test('the path to the leaf runs straight down, other branches are set in', () => {
  expect(drawTree(tree('a b c d', 'a x y', 'a b z'), 'y')).toEqual([
    '● a',
    '├─● b',
    '│ ├─● c',
    '│ │ ● d',
    '│ ● z',
    '● x',
    '● y  ◀ leaf',
  ])
})

test('without a leaf the newest branch runs straight down', () => {
  expect(drawTree(tree('a b', 'a c'), undefined)).toEqual(['● a', '├─● b', '● c'])
})

test('the leaf is visible in the middle of a run', () => {
  const chain = Array.from({ length: 41 }, (_, i) => `n${i}`).join(' ')
  expect(drawTree(tree(chain), 'n20')).toContain('● n20  ◀ leaf')
})

test('the end of a branch that was left is marked, also in the middle of a run', () => {
  expect(drawTree(tree('a b c', 'a x'), 'x', 'c')).toEqual(['● a', '├─● b', '│ ● c  ◁ abandoned', '● x  ◀ leaf'])
  const chain = Array.from({ length: 41 }, (_, i) => `n${i}`).join(' ')
  expect(drawTree(tree(chain), 'n40', 'n20')).toContain('● n20  ◁ abandoned')
})

test('several roots', () => {
  expect(drawTree(tree('a b', 'c'), 'c')).toEqual(['├─● a', '│ ● b', '● c  ◀ leaf'])
})

test('every entry is drawn or counted, in any tree', () => {
  let state = 42
  const random = (below: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
  for (let round = 0; round < 50; round++) {
    const nodes = Array.from({ length: 1 + random(200) }, (_, i): TreeNode => {
      const parent = random(4) === 0 ? random(i + 1) - 1 : i - 1
      return { id: `n${i}`, parentId: parent < 0 ? null : `n${parent}`, text: `n${i}` }
    })
    const lines = drawTree(nodes, `n${random(nodes.length)}`)
    const drawn = lines.filter((line) => line.includes('●')).length
    const left = lines.reduce((sum, line) => sum + Number(/… (\d+) entries/.exec(line)?.[1] ?? 0), 0)
    expect(drawn + left).toBe(nodes.length)
    expect(lines.filter((line) => line.endsWith('◀ leaf'))).toHaveLength(1)
  }
})

test('hostile depth does not overflow: 20,000 branches inside one another', () => {
  // Every entry has an older sibling chain: the newest goes straight down, so the older ones nest.
  const nodes: TreeNode[] = []
  let parentId: string | null = null
  for (let i = 0; i < 20_000; i++) {
    nodes.push({ id: `deep${i}`, parentId, text: `deep${i}` }, { id: `flat${i}`, parentId, text: `flat${i}` })
    parentId = `deep${i}`
  }
  const lines = drawTree(nodes, undefined)
  expect(lines.at(-1)).toBe('● flat0')
  expect(lines.length).toBeLessThan(100)
})
