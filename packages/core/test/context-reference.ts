import { pathOf, type Step } from './path-of.ts'

/** A message that a path shows: what the test's own, plain projection knows about it. */
interface Item {
  readonly at: number
  readonly calls: readonly string[]
  readonly result: string | undefined
}

/** What remains of a message: the index of its entry and the calls that are left of it. */
export interface Remainder {
  readonly at: number
  readonly calls: readonly string[]
}

/**
 * What the projection has to show, the plain way: over the whole path, oldest first, with messages of OpenAI's shape. Returns what remains of each
 * batch, and the ids of the calls that nobody answered.
 */
export function referenceContext(steps: readonly Step[]): {
  readonly batches: readonly (readonly Remainder[])[]
  readonly unanswered: readonly string[]
} {
  const items = steps.flatMap((step, at) => itemOf(step, at))
  const batches = batchesOf(items.slice(startOf(steps, items)))
  const shown = batches.map(wholeParts)
  const unanswered = batches.flatMap((batch, i) =>
    batch.flatMap(({ at, calls }) => {
      const left = [...(shown[i]?.find((remainder) => remainder.at === at)?.calls ?? [])]
      return calls.filter((id) => {
        const found = left.indexOf(id)
        if (found >= 0) left.splice(found, 1)
        return found < 0
      })
    }),
  )
  return { batches: shown.filter((batch) => batch.length > 0), unanswered }
}

function itemOf({ type, ...step }: Step, at: number): readonly Item[] {
  const message = step['message'] as { tool_calls?: readonly { id: string }[]; tool_call_id?: string } | undefined
  if (!['user_message', 'assistant_message', 'tool_call', 'tool_result'].includes(type)) return []
  return [{ at, calls: (message?.tool_calls ?? []).map(({ id }) => id), result: message?.tool_call_id }]
}

/** A result belongs to whatever uses tools before it; a call to calls right before it. */
function batchesOf(items: readonly Item[]): readonly (readonly Item[])[] {
  const batches: Item[][] = []
  let before: Item | undefined
  for (const item of items) {
    const joins =
      before !== undefined &&
      (item.result === undefined
        ? item.calls.length > 0 && before.calls.length > 0
        : before.calls.length > 0 || before.result !== undefined)
    if (joins) batches.at(-1)?.push(item)
    else batches.push([item])
    before = item
  }
  return batches
}

/** Which item the context begins with. */
function startOf(steps: readonly Step[], items: readonly Item[]): number {
  const compaction = steps.findLastIndex(({ type }) => type === 'compaction')
  if (compaction < 0) return 0
  const { firstKeptEntryId, keptUsers } = steps[compaction] as {
    firstKeptEntryId?: string | null
    keptUsers?: unknown[]
  }
  const after = items.filter(({ at }) => at < compaction).length
  const ids = pathOf(steps).map(({ id }) => id)
  const firstKept = ids.findIndex((id, at) => at < compaction && id === firstKeptEntryId)
  if (firstKept >= 0) return wholeFrom(items, items.filter(({ at }) => at < firstKept).length)
  if (firstKeptEntryId === null || (keptUsers ?? []).length > 0) return wholeFrom(items, after)
  return after === 0 ? 0 : startOfBatch(items, after - 1)
}

/** The first item of the batch in which one lies. */
function startOfBatch(items: readonly Item[], of: number): number {
  let start = 0
  for (const batch of batchesOf(items)) {
    if (start + batch.length > of) return start
    start += batch.length
  }
  return start
}

/** Goes back until each result from there on in that batch has its call, at most to where the batch begins. */
function wholeFrom(items: readonly Item[], from: number): number {
  if (from >= items.length) return from
  const begin = startOfBatch(items, from)
  const batch = batchesOf(items).find((each) => each.includes(items[from] as Item)) ?? []
  let start = from
  while (start > begin && orphansOf(batch.filter((item) => items.indexOf(item) >= start)).size > 0) start--
  return start
}

function orphansOf(batch: readonly Item[]): Set<Item> {
  const open: string[] = []
  const orphans = new Set<Item>()
  for (const item of batch) {
    open.push(...item.calls)
    if (item.result === undefined) continue
    const found = open.indexOf(item.result)
    if (found < 0) orphans.add(item)
    else open.splice(found, 1)
  }
  return orphans
}

function wholeParts(batch: readonly Item[]): readonly Remainder[] {
  const orphans = orphansOf(batch)
  const results = batch.filter((item) => item.result !== undefined && !orphans.has(item))
  // The first call of an id takes the first result of it that comes later.
  const left = new Map<Item, string[]>(batch.map((item) => [item, []]))
  for (const result of results) {
    const caller = batch
      .slice(0, batch.indexOf(result))
      .find(({ calls }, i) => count(calls, result.result) > count(left.get(batch[i] as Item) ?? [], result.result))
    if (caller) left.get(caller)?.push(result.result as string)
  }
  return batch.flatMap((item) => {
    if (orphans.has(item)) return []
    if (item.calls.length === 0) return [{ at: item.at, calls: [] }]
    const answered = [...(left.get(item) ?? [])]
    const calls = item.calls.filter((id) => {
      const found = answered.indexOf(id)
      if (found >= 0) answered.splice(found, 1)
      return found >= 0
    })
    return calls.length > 0 ? [{ at: item.at, calls }] : []
  })
}

const count = (list: readonly string[], sought: string | undefined) => list.filter((each) => each === sought).length
