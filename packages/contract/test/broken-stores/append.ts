import { ConflictError, SessionError } from '@sessiontree/core'
import { broken, brokenWhenLosing, push, tick, type BrokenStore } from './broken-store.ts'

const isConflict = (error: unknown) => SessionError.is(error, 'CONFLICT')

export const brokenAppends: readonly BrokenStore[] = [
  broken('append/conflict', 'lost update: an append below the end replaces what is there', (store) => (handle) => ({
    async append(log, at, records, options) {
      const stored = store.logs.get(log)
      if (stored && at < stored.length) stored.length = at
      await handle.append(log, at, records, options)
    },
  })),
  broken('append/conflict', 'at past the end is accepted', (store) => (handle) => ({
    append: (log, at, records) => handle.append(log, Math.min(at, store.logs.get(log)?.length ?? 0), records),
  })),
  broken('append/conflict', 'at inside a batch is accepted', (store) => {
    const starts = new Set<string>()
    return (handle) => ({
      // As a bucket with create-only keys would: the key of an index inside a batch is free.
      async append(log, at, records) {
        const inside = at < (store.logs.get(log)?.length ?? 0) && !starts.has(`${log} ${at}`)
        if (!inside) await handle.append(log, at, records)
        starts.add(`${log} ${at}`)
      },
    })
  }),
  broken('append/conflict', 'swallowed error: a lost append resolves', () => (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records).catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
    },
  })),
  broken('append/conflict', 'a conflict overstates the length', (store) => (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records).catch((error: unknown) => {
        if (!isConflict(error)) throw error
        throw new ConflictError('Overstated.', { atLeast: (store.logs.get(log)?.length ?? 0) + 1 })
      })
    },
  })),
  broken('append/conflict', 'a refused append lands at the end all the same', (store) => (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records).catch((error: unknown) => {
        if (isConflict(error)) push(store, log, records)
        throw error
      })
    },
  })),
  broken('append/conflict', 'a void line is returned by a reverse read', () => {
    const voided: string[] = []
    return (handle) => ({
      async append(log, at, records) {
        await handle.append(log, at, records).catch((error: unknown) => {
          if (isConflict(error)) voided.push(...records)
          throw error
        })
      },
      async *read(log, range) {
        const batches = await Array.fromAsync(handle.read(log, range))
        const [newest, ...older] = batches
        if (!range?.reverse || !newest) return yield* batches
        yield { at: newest.at, records: [...newest.records, ...voided] }
        yield* older
      },
    })
  }),
  broken('append/batch', 'torn batch visible', () => (handle) => ({
    async append(log, at, records) {
      for (const [i, record] of records.entries()) {
        await handle.append(log, at + i, [record])
        await tick()
      }
    },
  })),
  broken('append/batch', 'a batch takes one index', () => (handle) => ({
    append: (log, at, records) => handle.append(log, at, [records.join(' ')]),
  })),
  broken('append/batch', 'a batch is stored backwards', () => (handle) => ({
    append: (log, at, records) => handle.append(log, at, records.toReversed()),
  })),
  broken('append/batch', 'the array of records is read after the call returned', () => (handle) => ({
    async append(log, at, records) {
      await tick()
      await handle.append(log, at, records)
    },
  })),
  broken('append/handles', 'an append resolves before it lands', () => (handle) => ({
    async append(log, at, records) {
      const [last] = await Array.fromAsync(handle.read(log, { reverse: true, limit: 1 }))
      if ((last ? last.at + 1 : 0) !== at) return handle.append(log, at, records)
      setTimeout(() => void handle.append(log, at, records).catch(() => {}), 5)
    },
  })),
  broken('append/handles', 'a handle keeps what it read first and never looks again', () => (handle) => {
    const known = new Map<string, string[]>()
    return {
      async *read(log, range) {
        const records = known.get(log) ?? (await Array.fromAsync(handle.read(log))).flatMap((batch) => batch.records)
        known.set(log, records)
        const { from = 0, to = records.length, limit = Infinity } = range ?? {}
        const wanted = records.slice(from, Math.min(to, from + limit))
        if (wanted.length > 0) yield { at: from, records: wanted }
      },
    }
  }),
  broken('append/race', 'both racers win: the length is checked before it is taken', (store) => (handle) => ({
    async append(log, at, records) {
      if ((store.logs.get(log)?.length ?? 0) !== at) return handle.append(log, at, records)
      await tick()
      push(store, log, records)
    },
  })),
  broken('append/race', 'of two that are under way at once, both are refused and both land', (store) => {
    const underWay = new Set<string>()
    return (handle) => ({
      async append(log, at, records) {
        const slot = `${log} ${at}`
        if (underWay.has(slot) && store.logs.get(log)?.length === at) push(store, log, records)
        underWay.add(slot)
        await Promise.resolve()
        await handle.append(log, at, records)
      },
    })
  }),
  brokenWhenLosing('append/lost-answer', 'lost answer reported as CONFLICT', (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records)
      throw new ConflictError('Somebody was first.', { atLeast: at + records.length })
    },
  })),
  brokenWhenLosing('append/lost-answer', 'lost answer reported as a plain failure', (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records)
      throw new SessionError('IO', 'The connection was cut.')
    },
  })),
  brokenWhenLosing('append/lost-answer', 'lost answer answered by appending once more', (handle) => ({
    async append(log, at, records) {
      await handle.append(log, at, records)
      await handle.append(log, at + records.length, records)
    },
  })),
]
