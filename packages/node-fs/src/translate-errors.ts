import type { StorageBackend } from '@sessiontree/core'
import { toSessionError } from './file-system.ts'

/** A backend whose errors from the file system are `SessionError`s, with their own as cause. */
export function translateErrors(backend: StorageBackend): StorageBackend {
  return {
    name: backend.name,
    capabilities: backend.capabilities,
    append: (...args) => translated(backend.append(...args)),
    read: (...args) => translatedSteps(backend.read(...args)),
    drop: (...args) => translated(backend.drop(...args)),
    logs: (...args) => translatedSteps(backend.logs(...args)),
    get: (...args) => translated(backend.get(...args)),
    put: (...args) => translated(backend.put(...args)),
    remove: (...args) => translated(backend.remove(...args)),
    keys: (...args) => translatedSteps(backend.keys(...args)),
    close: () => translated(backend.close()),
  }
}

async function translated<Result>(result: Promise<Result>): Promise<Result> {
  try {
    return await result
  } catch (error) {
    throw toSessionError(error)
  }
}

async function* translatedSteps<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  try {
    yield* items
  } catch (error) {
    throw toSessionError(error)
  }
}
