import type { StorageAdapter } from '@sessiontree/core'
import { counting, crashing, faulty, gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { outcome, recordsOf } from './outcomes.ts'

describe('faulty', () => {
  const busy = async (adapter: StorageAdapter) => {
    const outcomes: unknown[] = []
    for (let i = 0; i < 40; i++) {
      outcomes.push(await outcome(adapter.append(`log/${i}`, 0, [String(i)])))
      outcomes.push(await outcome(adapter.put(`k/${i}`, String(i), { expect: 'absent' })))
      outcomes.push(await outcome(Array.fromAsync(adapter.read(`log/${i}`))))
      outcomes.push(await outcome(adapter.get(`k/${i}`)))
    }
    return outcomes
  }
  const rates = { refused: 0.1, unsent: 0.1, lost: 0.1, late: 0.1, unread: 0.1 }

  test('the same seed and the same calls meet the same faults, another seed others', async () => {
    const runs = [7, 7, 8].map(async (seed) => {
      const { adapter, faults } = faulty(memory(), { seed, rates })
      return { outcomes: await busy(adapter), faults }
    })
    const [one, same, other] = await Promise.all(runs)
    expect(one).toEqual(same)
    expect(one?.faults).not.toEqual(other?.faults)
    expect(new Set(one?.faults.map(({ kind }) => kind))).toEqual(
      new Set(['refused', 'unsent', 'lost', 'late', 'unread']),
    )
  })

  test.each([
    ['refused', /^(BUSY|IO)$/, []],
    ['unsent', /^UNCERTAIN$/, []],
    ['lost', /^UNCERTAIN$/, ['1']],
  ] as const)('%s: what the caller is told and what the store holds', async (kind, told, held) => {
    const store = new MemoryStore()
    const { adapter, faults, land } = faulty(memory({ store }), { seed: 1, rates: { [kind]: 1 } })
    expect(await outcome(adapter.append('log', 0, ['1']))).toMatch(told)
    await land()
    expect(await recordsOf(store)).toEqual(held)
    expect(faults).toEqual([{ call: 1, kind, operation: 'append', name: 'log' }])
  })

  test('late: arrives with a later call, unless the slot was taken', async () => {
    for (const taken of [false, true]) {
      const store = new MemoryStore()
      const { adapter } = faulty(memory({ store }), { seed: 3, rates: { late: 1 } })
      const passed = ['"late"']
      expect(await outcome(adapter.append('log', 0, passed))).toBe('UNCERTAIN')
      passed[0] = '"changed"'
      expect(await recordsOf(store)).toEqual([])
      if (taken) await memory({ store }).append('log', 0, ['"first"'])
      for (let i = 0; i < 4; i++) await adapter.get('k')
      expect(await recordsOf(store)).toEqual([taken ? '"first"' : '"late"'])
    }
  })

  test('late: arrives before close resolves', async () => {
    const store = new MemoryStore()
    const { adapter } = faulty(memory({ store }), { seed: 3, rates: { late: 1 } })
    await outcome(adapter.append('log', 0, ['"late"']))
    await adapter.close()
    expect(await recordsOf(store)).toEqual(['"late"'])
  })

  test('late: arrives once, and land waits until it has', async () => {
    const { adapter: counted, counts } = counting(memory())
    const gate = gating(counted)
    const { adapter, land } = faulty(gate.adapter, { seed: 3, rates: { late: 1 } })
    const held = gate.park('append', 'before')
    await outcome(adapter.append('log', 0, ['"late"']))
    let landed = false
    const landing = land().finally(() => (landed = true))
    await held.parked
    expect(landed).toBe(false)
    await held.release()
    await landing
    await land()
    await adapter.close()
    expect(counts.append).toEqual({ calls: 1, records: 1, bytes: 6 })
  })

  test('unread: a read fails between its batches, too', async () => {
    const store = new MemoryStore()
    for (let i = 0; i < 20; i++) await memory({ store }).append('log', i * 1000, Array<string>(1000).fill('1'))
    const delivered = new Set<number>()
    for (let seed = 0; seed < 30; seed++) {
      const { adapter } = faulty(memory({ store }), { seed, rates: { unread: 0.2 } })
      let batches = 0
      const reading = (async () => {
        for await (const batch of adapter.read('log')) batches += batch.records.length / 1000
      })()
      expect(await outcome(reading)).toMatch(batches === 20 ? /done|UNAVAILABLE/ : /UNAVAILABLE/)
      delivered.add(batches)
    }
    expect(delivered.size).toBeGreaterThan(4)
  })

  test('refuses rates and seeds that make no sense', () => {
    for (const options of [
      { seed: -1 },
      { seed: 0.5 },
      { seed: 1, rates: { lost: 1.1 } },
      { seed: 1, rates: { lost: NaN } },
      { seed: 1, rates: { lost: 0.6, late: 0.6 } },
      { seed: 1, rates: { lots: 0.6 } as object },
    ]) {
      expect(() => faulty(memory(), options)).toThrow(TypeError)
    }
    expect(() =>
      faulty(memory(), { seed: 1, rates: { refused: 0.2, unsent: 0.4, lost: 0.3, late: 0.1 } }),
    ).not.toThrow()
  })
})

describe('crashing', () => {
  /** Two appends and a put, one after the other. */
  const protocol = async (adapter: StorageAdapter, told: string[]) => {
    await adapter.append('log', 0, ['1'])
    told.push('1')
    await adapter.append('log', 1, ['2'])
    told.push('2')
    await adapter.put('k', '3', { expect: 'absent' })
    told.push('3')
  }

  test('at every step: before a request nothing of it is there, before its answer all of it', async () => {
    const seen: unknown[] = []
    for (let after = 0, done = false; !done; after++) {
      const store = new MemoryStore()
      const told: string[] = []
      const crash = crashing(memory({ store }), { after })
      done = await Promise.race([protocol(crash.adapter, told).then(() => true), crash.crashed.then(() => false)])
      const there = [...(await recordsOf(store)), ...Array.from(store.documents.values(), ({ value }) => value)]
      seen.push([told.length, there.length, crash.steps])
    }
    expect(seen).toEqual([
      [0, 0, 0],
      [0, 1, 1],
      [1, 1, 2],
      [1, 2, 3],
      [2, 2, 4],
      [2, 3, 5],
      [3, 3, 6],
    ])
  })

  test('what had reached the store is settled when crashed resolves; nothing ever answers', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const held = gate.park('append', 'before')
    const { adapter, crashed } = crashing(gate.adapter, { after: 1 })
    let answers = 0
    let dead = false
    const count = () => answers++
    void crashed.then(() => (dead = true))
    adapter.append('log', 0, ['1']).then(count, count)
    await held.parked
    adapter.get('k').then(count, count)
    adapter.close().then(count, count)
    await new Promise(setImmediate)
    expect(dead).toBe(false)
    await held.release()
    await crashed
    await new Promise(setImmediate)
    expect([answers, await recordsOf(store)]).toEqual([0, ['1']])
  })

  test('closing after a crash says nothing either', async () => {
    const { adapter, crashed } = crashing(memory(), { after: 0 })
    void adapter.get('k')
    await crashed
    const closed = adapter.close().then(() => 'closed')
    expect(await Promise.race([closed, new Promise((resolve) => setImmediate(() => resolve('silence')))])).toBe(
      'silence',
    )
  })

  test('refuses a number of steps that is none', () => {
    for (const after of [-1, 0.5, NaN]) expect(() => crashing(memory(), { after })).toThrow(TypeError)
  })
})
