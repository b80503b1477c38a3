import { SessionError } from '@sessiontree/core'
import { gating } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { outcome, recordsOf } from './outcomes.ts'

describe('gating', () => {
  test('holds a call before the store, several at once, released in any order', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const [first, second] = [gate.park('append', 'before'), gate.park('append', 'before')]
    const passed = ['"one"']
    const one = outcome(gate.adapter.append('log', 0, passed))
    passed[0] = '"changed"'
    const two = outcome(gate.adapter.append('log', 0, ['"two"']))
    expect(await first.parked).toEqual({ operation: 'append', name: 'log' })
    await second.parked
    expect(await recordsOf(store)).toEqual([])
    await second.release()
    expect(await recordsOf(store)).toEqual(['"two"'])
    await first.release()
    expect([await one, await two]).toEqual(['CONFLICT', 'done'])
    await gate.adapter.append('log', 1, ['"three"'])
    expect(await recordsOf(store)).toEqual(['"two"', '"three"'])
  })

  test('holds an answer behind the store, and may drop it', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const held = gate.park('append', 'after')
    let settled = false
    const one = outcome(gate.adapter.append('log', 0, ['1'])).finally(() => (settled = true))
    await held.parked
    expect(await recordsOf(store)).toEqual(['1'])
    expect(settled).toBe(false)
    await held.dropResponse()
    expect(await one).toBe('UNCERTAIN')
    void gate.park('get', 'after').dropResponse()
    expect(await outcome(gate.adapter.get('k'))).toBe('UNAVAILABLE')
  })

  test('drops the answer of a call that it held before the store', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const held = gate.park('append', 'before')
    const one = outcome(gate.adapter.append('log', 0, ['1']))
    await held.dropResponse()
    expect([await one, await recordsOf(store)]).toEqual(['UNCERTAIN', ['1']])
  })

  test('refuses: before the store nothing happens, behind it everything has', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const denied = gate.park('put', 'before')
    denied.refuse(new SessionError('DENIED', 'no'))
    expect(await outcome(gate.adapter.put('a', '1', { expect: 'absent' }))).toBe('DENIED')
    await denied.release()
    gate.park('put', 'after').refuse(new SessionError('BUSY', 'no'))
    expect(await outcome(gate.adapter.put('b', '1', { expect: 'absent' }))).toBe('BUSY')
    expect([...store.documents.keys()]).toEqual(['b'])
  })

  test('a call that timed out lands when it is released, or never', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const late = gate.park('append', 'before')
    late.timeOut()
    expect(await outcome(gate.adapter.append('log', 0, ['"late"']))).toBe('UNCERTAIN')
    expect(await recordsOf(store)).toEqual([])
    await late.release()
    expect(await recordsOf(store)).toEqual(['"late"'])
    const never = gate.park('append', 'before')
    never.timeOut()
    expect(await outcome(gate.adapter.append('log', 1, ['"never"']))).toBe('UNCERTAIN')
    never.refuse(undefined)
    await never.release()
    expect(await recordsOf(store)).toEqual(['"late"'])
  })

  test('open releases what timed out, and nobody waits for a call that was forgotten', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const late = gate.park('append', 'before')
    late.timeOut()
    expect(await outcome(gate.adapter.append('log', 0, ['"late"']))).toBe('UNCERTAIN')
    const forgotten = gate.park('put', 'before')
    gate.open()
    await late.release()
    expect(await recordsOf(store)).toEqual(['"late"'])
    await forgotten.release()
    expect(await outcome(gate.adapter.put('k', '1', { expect: 'absent' }))).toBe('1')
  })

  test('holds single steps of a read, of the log that it was told', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    for (const log of ['log', 'other']) {
      for (let i = 0; i < 2; i++) await gate.adapter.append(log, i * 1000, Array<string>(1000).fill('1'))
    }
    const steps = gate.adapter.read('log')[Symbol.asyncIterator]()
    expect((await steps.next()).value?.at).toBe(0)
    const held = gate.park('read', 'before', { name: 'log' })
    expect(await recordsOf(store, 'other')).toHaveLength(2000)
    expect(await Array.fromAsync(gate.adapter.read('other'))).toHaveLength(2)
    const second = steps.next()
    await held.parked
    await gate.adapter.drop('log')
    await held.release()
    expect((await second).value).toMatchObject({ at: 1000 })
  })

  test('close waits for what is held, and open lets everything go', async () => {
    const store = new MemoryStore()
    const gate = gating(memory({ store }))
    const held = gate.park('append', 'before')
    gate.park('append', 'after')
    const one = outcome(gate.adapter.append('log', 0, ['1']))
    let closed = false
    const closing = gate.adapter.close().finally(() => (closed = true))
    await held.parked
    await new Promise(setImmediate)
    expect(closed).toBe(false)
    gate.open()
    await closing
    expect(await one).toBe('done')
    expect(await recordsOf(store)).toEqual(['1'])
  })
})

describe('gating: what never comes', () => {
  test('an answer of a call that was refused is given up', async () => {
    const gate = gating(memory())
    const held = gate.park('append', 'before')
    const never = gate.park('append', 'after')
    held.refuse(new SessionError('BUSY', 'no'))
    expect(await outcome(gate.adapter.append('log', 0, ['1']))).toBe('BUSY')
    await never.release()
  })

  test('a call that was waited for passes once everything is open', async () => {
    const gate = gating(memory())
    let parked = false
    void gate.park('append', 'before').parked.then(() => (parked = true))
    gate.open()
    expect(await outcome(gate.adapter.append('log', 0, ['1']))).toBe('done')
    expect(parked).toBe(false)
  })
})
