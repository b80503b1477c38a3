import type { StorageAdapter } from '@sessiontree/core'

/** Makes an adapter that passes every call on to another one, except for what `overrides` does itself. */
export function delegate(adapter: StorageAdapter, overrides: Partial<StorageAdapter>): StorageAdapter {
  const passing: StorageAdapter = {
    contract: adapter.contract,
    name: adapter.name,
    capabilities: adapter.capabilities,
    append: (...args) => adapter.append(...args),
    read: (...args) => adapter.read(...args),
    drop: (...args) => adapter.drop(...args),
    logs: (...args) => adapter.logs(...args),
    get: (...args) => adapter.get(...args),
    put: (...args) => adapter.put(...args),
    remove: (...args) => adapter.remove(...args),
    keys: (...args) => adapter.keys(...args),
    close: () => adapter.close(),
    [Symbol.asyncDispose]: () => adapter[Symbol.asyncDispose](),
  }
  if (adapter.watch) passing.watch = (...args) => adapter.watch?.(...args)
  if (adapter.prepare) passing.prepare = (...args) => adapter.prepare?.(...args)
  return { ...passing, ...overrides }
}
