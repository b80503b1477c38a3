import { faulty } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  changeDocument,
  createDocument,
  KEPT_REVS,
  parseDocument,
  readDocument,
  type ParseDocument,
  type StoredDocument,
} from '../src/document.ts'
import type { Environment } from '../src/environment.ts'
import { ConflictError, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

interface Counter extends StoredDocument {
  readonly sum: number
}
const parse = parseDocument as ParseDocument<Counter>
const key = 'counter/one'

function environment(adapter: StorageAdapter, seed = 1): Environment {
  return { adapter, clock: seededClock(), random: seededRandom(seed) }
}
const add = (by: number) => (current: Counter | undefined) => ({
  ...current,
  format: 1,
  sum: (current?.sum ?? 0) + by,
})
const stored = (store: MemoryStore) => JSON.parse(store.documents.get(key)?.value ?? 'null') as Counter

/** What happens to a put: nothing goes wrong, the answer is lost, the request is lost, or it arrives with the next call. */
type Fate = 'well' | 'answer lost' | 'request lost' | 'late' | 'refused'

/** An adapter whose puts meet these fates, one after the other, and then no more. */
function fated(store: MemoryStore, fates: Fate[]): StorageAdapter {
  const inner = memory({ store })
  let late: (() => Promise<unknown>) | undefined
  const arrive = async () => {
    const now = late
    late = undefined
    await now?.().catch(() => {})
  }
  return {
    ...inner,
    async get(name) {
      await arrive()
      return inner.get(name)
    },
    async put(name, value, options) {
      await arrive()
      const fate = fates.shift() ?? 'well'
      if (fate === 'well') return inner.put(name, value, options)
      if (fate === 'refused') throw new SessionError('DENIED', 'no')
      if (fate === 'answer lost') await inner.put(name, value, options).catch(() => {})
      if (fate === 'late') late = () => inner.put(name, value, options)
      throw new SessionError('UNCERTAIN', 'nobody knows')
    },
  }
}

describe('changeDocument', () => {
  test('creates, then changes; each put has a fresh rev and remembers those before it', async () => {
    const store = new MemoryStore()
    const place = environment(memory({ store }))
    const revs: string[] = []
    for (let i = 1; i <= KEPT_REVS + 8; i++) {
      const { document, changed } = await changeDocument(place, key, add(1), { parse })
      expect(changed).toBe(true)
      expect(document).toEqual(stored(store))
      expect(document?.sum).toBe(i)
      expect(document?.revs).toEqual(revs.slice(-KEPT_REVS))
      revs.push(document!.rev)
    }
    expect(new Set(revs).size).toBe(revs.length)
  })

  test('fields that it does not know survive, __proto__ too', async () => {
    const store = new MemoryStore()
    const adapter = memory({ store })
    const value =
      '{"format":1,"rev":"a","revs":[],"sum":1,"__proto__":{"x":1},"later":{"deep":[null,"\\ud800"]},"a\\nb":1}'
    await adapter.put(key, value, { expect: 'absent' })
    await changeDocument(environment(adapter), key, add(1), { parse })
    const after = store.documents.get(key)!.value
    expect(after).toMatch(/"sum":2,"__proto__":\{"x":1\},"later":\{"deep":\[null,"\\ud800"\]\},"a\\nb":1\}$/)
  })

  test('nothing to do writes nothing; what change throws is thrown, and nothing is written', async () => {
    const store = new MemoryStore()
    const place = environment(memory({ store }))
    expect(await changeDocument(place, key, () => undefined, { parse })).toMatchObject({
      document: undefined,
      changed: false,
    })
    const { document } = await changeDocument(place, key, add(1), { parse })
    expect(await changeDocument(place, key, () => undefined, { parse })).toMatchObject({ document, changed: false })
    const refuse = () => {
      throw new SessionError('DELETED', 'gone')
    }
    await expect(changeDocument(place, key, refuse, { parse })).rejects.toMatchObject({ code: 'DELETED' })
    const large = (current: Counter | undefined) => ({ ...current, format: 1, large: 'x'.repeat(1024 * 1024) })
    await expect(changeDocument(place, key, large, { parse })).rejects.toThrow(TypeError)
    expect(store.puts).toBe(1)
  })

  test('is asked again with what another writer left', async () => {
    const store = new MemoryStore()
    const other = environment(memory({ store }), 2)
    const seen: (number | undefined)[] = []
    let raced = false
    const inner = memory({ store })
    const racing: StorageAdapter = {
      ...inner,
      async put(name, value, options) {
        if (!raced) {
          raced = true
          await changeDocument(other, key, add(10), { parse })
        }
        return inner.put(name, value, options)
      },
    }
    const change = (current: Counter | undefined) => {
      seen.push(current?.sum)
      return add(1)(current)
    }
    await changeDocument(environment(racing), key, change, { parse })
    expect(seen).toEqual([undefined, 10])
    expect(stored(store).sum).toBe(11)
  })

  test('others who are always first: BUSY, in the end', async () => {
    const store = new MemoryStore()
    const inner = memory({ store })
    let tries = 0
    const losing: StorageAdapter = {
      ...inner,
      async put() {
        tries++
        throw new ConflictError('too late')
      },
    }
    await expect(changeDocument(environment(losing), key, add(1), { parse })).rejects.toMatchObject({ code: 'BUSY' })
    expect(tries).toBeLessThanOrEqual(64)
    expect(store.puts).toBe(0)
  })

  test('a signal rejects before the first put, and no call is made for one that is aborted', async () => {
    const store = new MemoryStore()
    const reason = new Error('enough')
    const aborting = new AbortController()
    const change = (current: Counter | undefined) => {
      aborting.abort(reason)
      return add(1)(current)
    }
    const { signal } = aborting
    await expect(changeDocument(environment(memory({ store })), key, change, { parse, signal })).rejects.toBe(reason)
    await expect(changeDocument(environment(memory({ store })), key, change, { parse, signal })).rejects.toBe(reason)
    expect(store.puts).toBe(0)
  })

  test('a signal that aborts while the answer is out does not hide the outcome', async () => {
    const store = new MemoryStore()
    const aborting = new AbortController()
    const inner = fated(store, ['answer lost'])
    const adapter: StorageAdapter = {
      ...inner,
      put: (...call) => {
        aborting.abort()
        return inner.put(...call)
      },
    }
    const { changed } = await changeDocument(environment(adapter), key, add(1), { parse, signal: aborting.signal })
    expect(changed).toBe(true)
    expect(stored(store).sum).toBe(1)
  })

  const schedules: readonly Fate[][] = [
    ['answer lost'],
    ['request lost'],
    ['late'],
    ['late', 'late', 'answer lost'],
    ['request lost', 'answer lost', 'late'],
    ['answer lost', 'request lost', 'request lost', 'request lost', 'request lost'],
  ]
  for (const fates of schedules) {
    test(`takes effect once: ${fates.join(', ')}`, async () => {
      for (const start of [0, 1]) {
        const store = new MemoryStore()
        for (let i = 0; i < start; i++) await changeDocument(environment(memory({ store })), key, add(1), { parse })
        const { changed } = await changeDocument(environment(fated(store, [...fates])), key, add(1), { parse })
        expect(changed).toBe(true)
        expect(stored(store).sum).toBe(start + 1)
      }
    })
  }

  /** Others change the document so often between the uncertain answer and the next attempt. */
  async function overtaken(fate: Fate, others: number, isCreated = true) {
    const store = new MemoryStore()
    const other = environment(memory({ store }), 2)
    if (isCreated) await changeDocument(other, key, add(1), { parse })
    const inner = fated(store, [fate])
    let puts = 0
    const adapter: StorageAdapter = {
      ...inner,
      async put(name, value, options) {
        if (puts++ === 1) for (let i = 0; i < others; i++) await changeDocument(other, key, add(100), { parse })
        return inner.put(name, value, options)
      },
    }
    const outcome = await changeDocument(environment(adapter), key, add(1), { parse }).catch((error: unknown) => error)
    return { outcome, sum: stored(store).sum }
  }

  test('is recognised among the revs as long as they reach back', async () => {
    for (const others of [1, KEPT_REVS]) {
      for (const fate of ['answer lost', 'request lost', 'late'] as const) {
        const { outcome, sum } = await overtaken(fate, others)
        expect(outcome).toMatchObject({ changed: true })
        expect(sum).toBe(2 + others * 100)
      }
    }
    // Our own put is behind the base, so it is remembered for one change less than its base would be if it never came.
    const { outcome } = await overtaken('answer lost', KEPT_REVS + 1)
    expect(outcome).toMatchObject({ code: 'UNCERTAIN', written: 'unknown', ids: [] })
    expect((await overtaken('request lost', KEPT_REVS + 1)).outcome).toMatchObject({ code: 'UNCERTAIN' })
  })

  test('without a document before it, a list of revs that is not full tells as much', async () => {
    expect(await overtaken('request lost', KEPT_REVS, false)).toMatchObject({ outcome: { changed: true }, sum: 3201 })
    expect(await overtaken('answer lost', KEPT_REVS, false)).toMatchObject({ outcome: { changed: true }, sum: 3201 })
    const { outcome } = await overtaken('request lost', KEPT_REVS + 1, false)
    expect(outcome).toMatchObject({ code: 'UNCERTAIN' })
  })

  test('a document that was removed meanwhile cannot tell', async () => {
    const store = new MemoryStore()
    await changeDocument(environment(memory({ store })), key, add(1), { parse })
    const inner = fated(store, ['answer lost'])
    let puts = 0
    const adapter: StorageAdapter = {
      ...inner,
      async put(...call) {
        if (puts++ === 1) await inner.remove(key)
        return inner.put(...call)
      },
    }
    await expect(changeDocument(environment(adapter, 3), key, add(1), { parse })).rejects.toMatchObject({
      code: 'UNCERTAIN',
    })
    expect(store.documents.size).toBe(0)
  })

  test('a failure after an uncertain answer is UNCERTAIN; a failure alone is what it is', async () => {
    const place = (fates: Fate[]) => environment(fated(new MemoryStore(), fates))
    await expect(changeDocument(place(['refused']), key, add(1), { parse })).rejects.toMatchObject({ code: 'DENIED' })
    const unclear = changeDocument(place(['late', 'refused']), key, add(1), { parse })
    await expect(unclear).rejects.toMatchObject({ code: 'UNCERTAIN', cause: { code: 'UNCERTAIN' } })
    const silent = changeDocument(place(Array<Fate>(6).fill('request lost')), key, add(1), { parse })
    await expect(silent).rejects.toMatchObject({ code: 'UNCERTAIN' })
  })

  test('property: racing changers whose answers get lost leave an exact sum', async () => {
    const fates = fc.array(fc.constantFrom<Fate>('well', 'answer lost', 'request lost', 'late'), { maxLength: 12 })
    const changers = fc.array(fc.record({ fates, changes: fc.integer({ min: 1, max: 4 }) }), {
      minLength: 2,
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(changers, fc.integer({ min: 1, max: 1_000_000 }), async (all, seed) => {
        const store = new MemoryStore()
        await Promise.all(
          all.map(async ({ fates: own, changes }, i) => {
            // Never six in a row: then nobody could tell.
            const bearable = own.flatMap((fate, at) => (at % 5 === 4 ? [fate, 'well' as const] : [fate]))
            const place = environment(fated(store, bearable), seed * 10 + i)
            for (let change = 0; change < changes; change++) {
              await changeDocument(place, key, add(10 ** i), { parse })
            }
          }),
        )
        const expected = all.reduce((sum, { changes }, i) => sum + changes * 10 ** i, 0)
        expect(stored(store).sum).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })

  test('property: with faults of every kind, what was resolved is there once and what was refused is not', async () => {
    let unsettled = 0
    for (let seed = 1; seed <= 60; seed++) {
      const store = new MemoryStore()
      const outcomes = await Promise.all(
        [1, 2, 3].map(async (changer) => {
          const { adapter, land } = faulty(memory({ store }), {
            seed: seed * 10 + changer,
            rates: { refused: 0.1, unsent: 0.15, lost: 0.15, late: 0.15, unread: 0.1 },
          })
          const place = environment(adapter, seed * 10 + changer)
          const own: [string, string][] = []
          for (let i = 0; i < 5; i++) {
            const mark = `${changer}.${i}`
            const change = (current: Counter | undefined) => ({
              ...current,
              format: 1,
              [mark]: Number(current?.[mark] ?? 0) + 1,
            })
            const outcome = await changeDocument(place, key, change, { parse }).then(
              () => 'resolved',
              (error: unknown) => (error as SessionError).written,
            )
            own.push([mark, outcome])
          }
          await land()
          return own
        }),
      )
      const document = stored(store)
      for (const [mark, outcome] of outcomes.flat()) {
        const count = document?.[mark] ?? 0
        if (outcome === 'resolved') expect([seed, mark, count]).toEqual([seed, mark, 1])
        else if (outcome === 'no') expect([seed, mark, count]).toEqual([seed, mark, 0])
        else {
          unsettled++
          expect(count).toBeLessThanOrEqual(1)
        }
      }
    }
    expect(unsettled).toBeLessThan(60 * 15 * 0.2)
  })
})

describe('createDocument', () => {
  const document = { format: 1, rev: 'mine', revs: [] }

  test('of two creators one did', async () => {
    const store = new MemoryStore()
    const both = [1, 2].map((seed) =>
      createDocument(environment(memory({ store }), seed), key, { ...document, rev: `${seed}` }),
    )
    expect(new Set(await Promise.all(both))).toEqual(new Set([false, true]))
  })

  test('a lost answer is settled: its own document is its own, also after others changed it', async () => {
    for (const fates of [['answer lost'], ['request lost'], ['late'], ['late', 'answer lost']] as const) {
      const store = new MemoryStore()
      expect(await createDocument(environment(fated(store, [...fates])), key, document)).toBe(true)
      expect(stored(store)).toEqual(document)
    }
    const store = new MemoryStore()
    const inner = fated(store, ['answer lost'])
    let puts = 0
    const adapter: StorageAdapter = {
      ...inner,
      async put(...call) {
        if (puts++ === 1) await changeDocument(environment(memory({ store })), key, add(1), { parse })
        return inner.put(...call)
      },
    }
    expect(await createDocument(environment(adapter), key, document)).toBe(true)
  })

  test("another one's document is not its own", async () => {
    const store = new MemoryStore()
    await memory({ store }).put(key, JSON.stringify({ ...document, rev: 'other' }), { expect: 'absent' })
    expect(await createDocument(environment(fated(store, ['request lost'])), key, document)).toBe(false)
    expect(await createDocument(environment(memory({ store })), key, document)).toBe(false)
  })
})

describe('readDocument and parseDocument', () => {
  test('what is no document of this format says so', async () => {
    const store = new MemoryStore()
    const adapter = memory({ store })
    expect(await readDocument(adapter, key, parse)).toBeUndefined()
    for (const [value, code] of [
      ['{', 'CORRUPT'],
      ['null', 'CORRUPT'],
      ['"text"', 'CORRUPT'],
      ['{"rev":"a"}', 'CORRUPT'],
      ['{"format":"1"}', 'CORRUPT'],
      [`{"format":1,"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'CORRUPT'],
      ['{"format":2,"anything":null}', 'FORMAT'],
    ] as const) {
      store.documents.set(key, { value, version: 'x' })
      await expect(readDocument(adapter, key, parse)).rejects.toMatchObject({ code })
      await expect(changeDocument(environment(adapter), key, add(1), { parse })).rejects.toMatchObject({ code })
      expect(store.documents.get(key)?.value).toBe(value)
    }
  })
})
