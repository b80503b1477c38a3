import { CorruptError, SessionError } from '@sessiontree/core'
import { brokenMortal, type BrokenStore } from './broken-store.ts'

const isCorrupt = (error: unknown): error is CorruptError => SessionError.is(error, 'CORRUPT')

/** Stores that handle damage wrongly. */
export const brokenDamage: readonly BrokenStore[] = [
  brokenMortal('damage/read', 'damage ends a read as if it were the end of the log', () => (handle) => ({
    read: (log, range) => untilCorrupt(handle.read(log, range)),
  })),
  brokenMortal('damage/read', 'damaged records are left out in silence', () => (handle) => ({
    read: (log, range) => handle.read(log, { ...range, salvage: true }),
  })),
  brokenMortal('damage/read', 'damage says the index after it', () => (handle) => ({
    async *read(log, range) {
      try {
        yield* handle.read(log, range)
      } catch (error) {
        if (!isCorrupt(error)) throw error
        throw new CorruptError('Damaged.', { log, at: Number(error.at) + 1, where: 'here' })
      }
    },
  })),
  brokenMortal('damage/read', 'the message of damage shows the text of a record', (store) => (handle) => ({
    async *read(log, range) {
      try {
        yield* handle.read(log, range)
      } catch (error) {
        if (!isCorrupt(error)) throw error
        const { at = 0 } = error
        throw new CorruptError(`Bad: ${store.memory.logs.get(log)?.[0]}`, { log, at, where: 'here' })
      }
    },
  })),
  brokenMortal('damage/read', 'what is before damage in the same page is not delivered', (store) => (handle) => ({
    async *read(log, range) {
      const at = [...store.damagedRecords].map((place) => Number(place.split(' ')[1]))[0]
      if (at !== undefined && !range?.salvage) {
        const { from = 0, to = Infinity } = range ?? {}
        if (from <= at && at < to) throw new CorruptError('Damaged.', { log, at, where: 'here' })
      }
      yield* handle.read(log, range)
    },
  })),
  brokenMortal('damage/read', 'with salvage the limit counts what is lost', () => (handle) => ({
    async *read(log, range = {}) {
      const { limit, from = 0 } = range
      if (!range.salvage || limit === undefined || range.reverse) yield* handle.read(log, range)
      else yield* handle.read(log, { ...range, limit: undefined, to: from + limit })
    },
  })),
  brokenMortal('damage/read', 'a damaged log is not listed', (store) => (handle) => ({
    async *logs(prefix, options) {
      const damaged = new Set([...store.damagedRecords].map((place) => place.split(' ')[0]))
      for await (const page of handle.logs(prefix, options)) yield page.filter((name) => !damaged.has(name))
    },
  })),
  brokenMortal('damage/append', 'damage anywhere keeps everybody from appending', (store) => (handle) => ({
    async append(log, at, records) {
      for (const place of store.damagedRecords) {
        if (place.startsWith(`${log} `))
          throw new CorruptError('Damaged.', { log, at: Number(place.split(' ')[1]), where: 'here' })
      }
      await handle.append(log, at, records)
    },
  })),
  brokenMortal('damage/append', 'a damaged tail makes a log look empty', (store) => (handle) => ({
    async append(log, at, records) {
      const stored = store.memory.logs.get(log)
      if (stored && store.isDamaged(log, stored.length - 1)) stored.length = 0
      await handle.append(log, at, records)
    },
  })),
  brokenMortal('damage/append', 'an append behind a damaged tail resolves and is nowhere', (store) => (handle) => ({
    async append(log, at, records) {
      const length = store.memory.logs.get(log)?.length ?? 0
      if (at !== length || !store.isDamaged(log, length - 1)) await handle.append(log, at, records)
    },
  })),
  brokenMortal('damage/document', 'a damaged document is taken for absent', () => (handle) => ({
    get: (key) =>
      handle.get(key).catch((error: unknown) => {
        if (isCorrupt(error)) return undefined
        throw error
      }),
  })),
  brokenMortal('damage/document', 'a damaged document is replaced by whoever creates one', (store) => (handle) => ({
    async put(key, value, options) {
      if (store.damagedDocuments.has(key)) await handle.remove(key)
      return handle.put(key, value, options)
    },
  })),
  brokenMortal('damage/document', 'a damaged document ends the listing', (store) => (handle) => ({
    async *keys(prefix, options) {
      yield* handle.keys(prefix, options)
      for (const where of store.damagedDocuments) throw new CorruptError('Damaged.', { where })
    },
  })),
]

async function* untilCorrupt<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  try {
    yield* items
  } catch (error) {
    if (!isCorrupt(error)) throw error
  }
}
