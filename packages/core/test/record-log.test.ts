import { counting, crashing, gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { ConflictError, LogFold, RecordHome, recordHomes, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

interface Note {
  readonly note: number | string
}

let handles = 0
function home(adapter: StorageAdapter, id = 'h'): RecordHome {
  const options = {
    adapter,
    kind: 'notes',
    logs: ['note', 'tag'],
    clock: seededClock(),
    random: seededRandom(++handles),
  }
  return new RecordHome(options, id).createWith({ about: 'test' })
}

const notes = (count: number, from = 0): Note[] => Array.from({ length: count }, (_, i) => ({ note: from + i }))
const read = async (one: RecordHome, name = 'note') =>
  (await Array.fromAsync(one.log<Note>(name).read())).map(({ value }) => value.note)
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (SessionError.is(error) ? error.code : String(error)),
  )

describe('append', () => {
  test('indexes are dense over two handles, and what is returned is what is read', async () => {
    const store = new MemoryStore()
    const [one, other] = [home(memory({ store })), home(memory({ store }))]
    const stored = []
    for (let i = 0; i < 10; i++) stored.push(...(await [one, other][i % 2]!.log<Note>('note').append([{ note: i }])))
    expect(stored.map(({ at }) => at)).toEqual([...stored.keys()])
    expect(await Array.fromAsync(one.log('note').read())).toEqual(stored)
  })

  test('64 calls at once share two appends; a warm one costs one append and nothing else', async () => {
    const { adapter, counts, reset } = counting(memory())
    const log = home(adapter).log<Note>('note')
    await log.append(notes(1))
    reset()
    await Promise.all(Array.from({ length: 64 }, (_, note) => log.append([{ note }])))
    expect(counts.append.calls).toBeLessThanOrEqual(2)
    reset()
    await log.append(notes(1))
    expect([counts.append.calls, counts.read.calls, counts.get.calls, counts.put.calls]).toEqual([1, 0, 0, 0])
  })

  test('derive sees what it goes behind: also what shares its append, also when others were first', async () => {
    const store = new MemoryStore()
    const all = [home(memory({ store })), home(memory({ store })), home(memory({ store }))]
    const add = (one: RecordHome) =>
      one.log<Note>('note').append(async (log) => {
        const seen = await Array.fromAsync(log.read(0))
        expect(seen.length + log.drafted.length).toBe(log.length)
        return [{ note: log.length }]
      })
    await Promise.all(Array.from({ length: 60 }, (_, i) => add(all[i % 3]!)))
    expect(await read(all[0]!)).toEqual([...Array(60).keys()])
  })

  test('a derive that throws or appends nothing has seen all that was committed before the call', async () => {
    const store = new MemoryStore()
    const [one, other] = [home(memory({ store })), home(memory({ store }))]
    await one.log<Note>('note').append(notes(1))
    await other.log<Note>('note').append(notes(3))
    let seen = 0
    const look = (then: () => readonly Note[]) =>
      one.log<Note>('note').append((log) => {
        seen = log.length
        return then()
      })
    expect(await look(() => [])).toEqual([])
    expect(seen).toBe(4)
    await other.log<Note>('note').append(notes(2))
    const error = new Error('no')
    await expect(
      look(() => {
        throw error
      }),
    ).rejects.toBe(error)
    expect(seen).toBe(6)
    expect(await read(one)).toHaveLength(6)
  })

  test('nothing at all is written before the first value: not by reading, not by a derive that throws or appends nothing', async () => {
    const { adapter, counts } = counting(memory())
    const log = home(adapter).log<Note>('note')
    expect(await Array.fromAsync(log.read())).toEqual([])
    expect(await log.append(() => [])).toEqual([])
    const throwing = log.append(() => {
      throw new Error('no')
    })
    await expect(throwing).rejects.toThrow('no')
    expect([counts.put.calls, counts.append.calls]).toEqual([0, 0])
    expect((await log.append(notes(1)))[0]?.at).toBe(0)
  })

  test('what JSON cannot keep is a TypeError and takes nothing else along', async () => {
    const one = home(memory())
    const log = one.log<unknown>('note')
    const results = await Promise.allSettled([
      log.append([{ note: 1 }]),
      log.append([{ note: NaN }]),
      log.append([{ note: 2 }]),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(TypeError)
    expect(await read(one)).toEqual([1, 2])
  })

  test('equal values of two handles that race are two records', async () => {
    const store = new MemoryStore()
    const all = [home(memory({ store })), home(memory({ store }))]
    await Promise.all(
      all.flatMap((one) => Array.from({ length: 20 }, () => one.log<Note>('note').append([{ note: 7 }]))),
    )
    expect(await read(all[0]!)).toEqual(Array(40).fill(7))
  })
})

describe('uncertain and aborted', () => {
  test('a lost answer is settled, and nothing is stored twice', async () => {
    const gate = gating(memory())
    const one = home(gate.adapter)
    await one.log<Note>('note').append(notes(1))
    const held = gate.park('append', 'after')
    const append = one.log<Note>('note').append([{ note: 1 }])
    await held.parked
    await held.dropResponse()
    expect((await append)[0]?.at).toBe(1)
    expect(await read(one)).toEqual([0, 1])
  })

  test('a refusal and a look that come too late to be believed: still stored once, with what joined meanwhile behind it', async () => {
    const inner = memory()
    let lies = 0
    let joined: Promise<unknown> | undefined
    const adapter: StorageAdapter = {
      ...inner,
      async append(...args) {
        await inner.append(...args)
        if (lies === 1) joined = log.append([{ note: 'joined' }])
        if (lies === 1) throw new ConflictError('somebody was first', { atLeast: 0 })
      },
      async *read(...args) {
        if (lies > 0 && lies++ === 1) return
        yield* inner.read(...args)
      },
    }
    const one = home(adapter)
    const log = one.log<Note>('note')
    await log.append(notes(1))
    lies = 1
    expect((await log.append([{ note: 'first' }]))[0]?.at).toBe(1)
    await joined
    expect(await read(one)).toEqual([0, 'first', 'joined'])
  })

  test('aborted before the handover: its reason, nothing written; after: UNCERTAIN, and it goes on', async () => {
    const gate = gating(memory())
    const one = home(gate.adapter)
    const log = one.log<Note>('note')
    await log.append(notes(1))
    const held = gate.park('append', 'before')
    const [first, second] = [new AbortController(), new AbortController()]
    const under = log.append([{ note: 'under way' }], first.signal)
    await held.parked
    const waits = log.append([{ note: 'waits' }], second.signal)
    const ends = Promise.all([code(under), code(waits)])
    first.abort(new Error('first'))
    second.abort(new Error('second'))
    expect(await ends).toEqual(['UNCERTAIN', 'Error: second'])
    await held.release()
    await log.append([{ note: 'next' }])
    expect(await read(one)).toEqual([0, 'under way', 'next'])
  })
})

describe('clear', () => {
  test('takes all logs together, and every handle goes on in the next incarnation', async () => {
    const store = new MemoryStore()
    const [one, other] = [home(memory({ store })), home(memory({ store }))]
    for (const handle of [one, other]) {
      await handle.log<Note>('note').append(notes(2))
      await handle.log<Note>('tag').append(notes(1))
    }
    expect(await one.clear()).toBe(1)
    expect([await read(other), await read(other, 'tag')]).toEqual([[], []])
    const [stored] = await other.log<Note>('note').append([{ note: 'new' }])
    expect(stored).toEqual({ incarnation: 1, at: 0, value: { note: 'new' } })
    expect(await read(one)).toEqual(['new'])
    const left = () => [...store.logs.keys()].filter((log) => log.startsWith('notes/h/0/')).length
    expect(left()).toBe(2)
    await one.sweep()
    expect(left()).toBe(2)
    await one.sweep({ keepFor: 0 })
    expect(left()).toBe(0)
  })

  test('with keep the old logs stay, until delete', async () => {
    const store = new MemoryStore()
    const one = home(memory({ store }))
    await one.log<Note>('note').append(notes(2))
    expect(await one.clear({ keep: true })).toBe(1)
    await one.clear({ keepFor: 0 })
    expect([...store.logs.keys()].filter((log) => log.startsWith('notes/h/0/note'))).toHaveLength(1)
    await one.delete()
    expect([...store.logs.keys()]).toEqual([])
    expect(await code(one.log<Note>('note').append(notes(1)))).toBe('DELETED')
    expect(JSON.stringify([...store.documents.values()])).not.toContain('"id"')
  })

  test('stopped at any step, the next writer finishes it: all of the old state before, nothing of it behind', async () => {
    let steps = 0
    for (let after = 0, done = false; !done; after++, steps++) {
      const store = new MemoryStore()
      const before = home(memory({ store }))
      await before.log<Note>('note').append(notes(3))
      await before.log<Note>('tag').append(notes(1))
      const { adapter, crashed } = crashing(memory({ store }), { after })
      done = await Promise.race([
        home(adapter)
          .clear()
          .then(() => true),
        crashed.then(() => false),
      ])
      const seen = [await read(home(memory({ store }))), await read(home(memory({ store })), 'tag')]
      expect([
        [[0, 1, 2], [0]],
        [[], []],
      ]).toContainEqual(seen)
      const [stored] = await before.log<Note>('note').append([{ note: 'next' }])
      const now = await read(home(memory({ store })))
      expect(now).toEqual(stored?.incarnation === 0 ? [0, 1, 2, 'next'] : ['next'])
      if (done) expect(stored?.incarnation).toBe(1)
    }
    expect(steps).toBeGreaterThan(10)
  })

  test('a handle that knows a log as empty does not write to it once it is gone, where a dropped name is free again', async () => {
    const store = new MemoryStore()
    store.dropped.add = () => store.dropped
    const gate = gating(memory({ store }))
    const sleeper = home(gate.adapter)
    await sleeper.look()
    const held = gate.park('append', 'before')
    const append = sleeper.log<Note>('note').append([{ note: 'late' }])
    await held.parked
    const other = home(memory({ store }))
    await other.clear({ keepFor: 0 })
    await held.release()
    expect((await append)[0]?.incarnation).toBe(1)
    expect(await read(other)).toEqual(['late'])
  })
})

describe('read, follow, fold', () => {
  test('the newest of many cost what they are', async () => {
    const { adapter, counts, reset } = counting(memory())
    const log = home(adapter).log<Note>('note')
    await log.append(notes(1000))
    await log.append(notes(1000, 1000))
    reset()
    const newest = await Array.fromAsync(log.read({ reverse: true, limit: 3 }))
    expect(newest.map(({ at }) => at)).toEqual([1999, 1998, 1997])
    expect(counts.read.records).toBeLessThanOrEqual(4)
  })

  test('each value exactly once and in order, from where it is told, whoever writes', async () => {
    for (const watch of [true, false]) {
      const store = new MemoryStore()
      const { watch: hint, ...blind } = memory({ store })
      const adapter = (watch ? { ...blind, watch: hint } : blind) as StorageAdapter
      const writers = [home(memory({ store })), home(memory({ store }))]
      await writers[0]!.log<Note>('note').append(notes(2))
      const reader = home(adapter)
      const followed: unknown[] = []
      const following = (async () => {
        for await (const { value } of reader.log<Note>('note').follow({ from: 1 })) {
          followed.push(value.note)
          if (followed.length === 41) break
        }
      })()
      for (let i = 0; i < 20; i++) {
        await writers[0]!.log<Note>('note').append([{ note: 2 + 2 * i }])
        await writers[1]!.log<Note>('note').append([{ note: 3 + 2 * i }])
        if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3))
      }
      await following
      expect(followed).toEqual(Array.from({ length: 41 }, (_, i) => i + 1))
    }
  })

  test('who follows is told of a clear, at whatever moment, and of a position that never was', async () => {
    const store = new MemoryStore()
    const writer = home(memory({ store }))
    const log = home(memory({ store })).log<Note>('note')
    expect(await code(log.follow({ from: 5 }).next())).toBe('CONFLICT')
    await writer.log<Note>('note').append(notes(2))
    const following = log.follow({ incarnation: 0 })
    await following.next()
    await following.next()
    const third = code(following.next())
    await writer.clear()
    expect(await third).toBe('CONFLICT')
    expect(await code(log.follow({ from: 1, incarnation: 0 }).next())).toBe('CONFLICT')
    await writer.log<Note>('note').append(notes(1))
    expect(await code(log.follow({ from: 2 }).next())).toBe('CONFLICT')
  })

  test('closing and aborting end it', async () => {
    const one = home(memory())
    await one.look()
    const controller = new AbortController()
    const aborted = one.log('note').follow({ signal: controller.signal }).next()
    const closed = one.log('note').follow().next()
    await new Promise((resolve) => setTimeout(resolve, 1))
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await one.close()
    expect(await code(closed)).toBe('CLOSED')
  })

  test('a fold reads each value once, and starts over after a clear', async () => {
    const store = new MemoryStore()
    const { adapter, counts, reset } = counting(memory({ store }))
    const reader = home(adapter)
    const writer = home(memory({ store }))
    const sum = new LogFold<Note, number>(
      () => 0,
      (total, { value }) => total + Number(value.note),
    )
    const total = async () => sum.upTo(await reader.log<Note>('note').committed())
    await writer.log<Note>('note').append(notes(100))
    expect(await total()).toBe(4950)
    await writer.log<Note>('note').append([{ note: 50 }])
    reset()
    expect(await Promise.all([total(), total()])).toEqual([5000, 5000])
    expect(counts.read.records).toBeLessThanOrEqual(8)
    await writer.clear()
    await writer.log<Note>('note').append([{ note: 1 }])
    expect(await total()).toBe(1)
  })
})

describe('close', () => {
  test('drains; later calls are CLOSED; a second close resolves, one beside it is CLOSED', async () => {
    const one = home(memory())
    const log = one.log<Note>('note')
    const appends = [log.append(notes(1)), log.append(notes(1))]
    const closing = one.close()
    expect(await code(one.close())).toBe('CLOSED')
    await closing
    await Promise.all(appends)
    await one.close()
    expect(await code(log.append(notes(1)))).toBe('CLOSED')
    expect(await code(log.read().next())).toBe('CLOSED')
  })

  test('not in time: TIMEOUT, what had not reached the adapter is not written, and the handle is closed', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const one = home(gate.adapter)
    const log = one.log<Note>('note')
    await log.append(notes(1))
    const held = gate.park('append', 'before')
    const under = log.append([{ note: 'under way' }])
    await held.parked
    const waits = code(log.append([{ note: 'waits' }]))
    expect(await code(one.close({ timeout: 20 }))).toBe('TIMEOUT')
    expect(await waits).toBe('CLOSED')
    expect(await code(log.append(notes(1)))).toBe('CLOSED')
    await held.release()
    await under
    expect(await read(home(memory({ store })))).toEqual([0, 'under way'])
  })
})

test('homes are listed with their ids, one that cannot be read beside the others, deleted ones not', async () => {
  const store = new MemoryStore()
  const adapter = memory({ store })
  for (const id of ['b', 'a', 'Ü/..', 'gone']) await home(adapter, id).log<Note>('note').append(notes(1))
  await home(adapter, 'gone').delete()
  await adapter.put('notes/zz', '"junk"', { expect: 'absent' })
  const found = await Array.fromAsync(recordHomes({ adapter, kind: 'notes', logs: [] }))
  expect(found.map((one) => ('id' in one ? one.id : one.error.code))).toEqual(['a', 'b', 'CORRUPT', 'Ü/..'])
  expect(() => new RecordHome({ adapter, kind: 'session', logs: [] }, 'x')).toThrow(TypeError)
})

test('a home of a scope goes with it', async () => {
  const adapter = memory()
  const options = { adapter, kind: 'notes', logs: ['note'], scope: ['acme'] }
  const one = new RecordHome(options, 'h').createWith()
  await one.log<Note>('note').append(notes(1))
  const { openSessions } = await import('../src/index.ts')
  await openSessions(adapter, { scope: ['acme'] }).erase()
  const another = new RecordHome(options, 'h')
  expect([await another.find(), (await Array.fromAsync(adapter.logs(''))).flat()]).toEqual([undefined, []])
})
