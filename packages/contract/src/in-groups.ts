const GROUP = 16

/** Does `work` for every item, a few at a time, so that a store is busy but not flooded. Rejects with the first failure. */
export async function inGroups<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < items.length; at += GROUP) await Promise.all(items.slice(at, at + GROUP).map(work))
}
