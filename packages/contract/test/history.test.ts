import { checkHistory, parseHistory, recording, sequence, type HistoryEvent } from '@sessiontree/contract/history'
import { contractSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import {
  append,
  drop,
  get,
  historyOf,
  put,
  read,
  refused,
  remove,
  uncertain,
  type TimelineCall,
} from './history/timeline.ts'

describe('histories that a correct store can have', () => {
  const histories: Readonly<Record<string, readonly TimelineCall[]>> = {
    'nothing at all': [],
    'appends, a lost race and a read': [
      append('a', [1, 4], 0, ['1', '2']),
      append('b', [2, 3], 0, ['x'], refused),
      append('b', [5, 6], 2, ['3']),
      read('b', [7, 8], [[0, '1', '2', '3']]),
    ],
    'an uncertain append that is there, one that is not, one of a process that died': [
      append('a', [1, 2], 0, ['1'], uncertain),
      append('b', [3, 4], 1, ['lost'], uncertain),
      append('c', [5, 6], 1, ['2']),
      append('d', [7], 2, ['3', '4']),
      read('e', [9, 10], [[0, '1', '2', '3', '4']]),
    ],
    'an uncertain append that appears after a read had found nothing': [
      append('a', [1, 2], 0, ['1'], uncertain),
      read('a', [3, 4], []),
      read('a', [5, 6], [[0, '1']]),
    ],
    'a read beside an append sees it or not': [
      append('a', [1, 10], 0, ['1']),
      read('b', [2, 3], []),
      read('b', [4, 5], [[0, '1']]),
    ],
    'ranges, limits and reverse reads that end where they should': [
      append('a', [1, 2], 0, ['0', '1', '2']),
      append('a', [3, 4], 3, ['3']),
      read('b', [5, 6], [[1, '1']], { from: 1, limit: 1 }),
      read('b', [5, 6], [[1, '1', '2']], { from: 1, to: 3 }),
      read(
        'b',
        [5, 6],
        [
          [3, '3'],
          [2, '2'],
        ],
        { reverse: true, limit: 2 },
      ),
      read('b', [5, 6], [], { from: 4 }),
      read('b', [5, 6], [[0, '0', '1']], { to: 2, reverse: true }),
      read('b', [5, 6], [[3, '3']], { reverse: true, outcome: 'left' }),
      read('b', [5, 6], [[0, '0']], { outcome: 'failed' }),
    ],
    'reads that salvage what is left around damage': [
      append('a', [1, 2], 0, ['1', '2', '3', '4']),
      read(
        'b',
        [3, 4],
        [
          [0, '1'],
          [2, '3', '4'],
        ],
        { salvage: true },
      ),
      read(
        'b',
        [3, 4],
        [
          [2, '3'],
          [0, '1'],
        ],
        { salvage: true, reverse: true },
      ),
      read('b', [3, 4], [[0, '1', '2']], { outcome: 'failed' }),
    ],
    'an append beside a drop, of which somebody reads the garbage': [
      append('a', [1, 2], 0, ['1']),
      drop('a', [10, 20]),
      append('b', [12, 14], 0, ['garbage']),
      read('b', [21, 22], [[0, 'garbage']]),
    ],
    'a drop, before, beside and after which somebody reads': [
      append('a', [1, 2], 0, ['1']),
      drop('a', [10, 20]),
      read('b', [9, 11], [[0, '1']]),
      read('b', [9, 12], []),
      read('c', [13, 14], [[0, '1']]),
      read('c', [21, 22], []),
    ],
    'a drop that nobody knows of': [
      append('a', [1, 2], 0, ['1']),
      drop('a', [3, 4], uncertain),
      read('b', [5, 6], [[0, '1']]),
      read('b', [7, 8], []),
    ],
    'what is appended late to a dropped log is garbage': [
      append('a', [1, 2], 0, ['1']),
      drop('a', [3, 4]),
      append('b', [5, 6], 0, ['garbage']),
      read('b', [7, 8], [[0, 'garbage']]),
    ],
    'a chain of puts, one that lost, and gets in between': [
      put('a', [1, 2], 'A', 'absent', 'v1'),
      get('b', [3, 4], ['A', 'v1']),
      put('b', [5, 8], 'B', 'v1', 'v2'),
      put('c', [6, 9], 'C', 'v1', refused),
      get('c', [5, 7], ['A', 'v1']),
      get('c', [5, 7], ['B', 'v2']),
      get('c', [10, 11], ['B', 'v2']),
    ],
    'an uncertain put that is there under a version that only a get told': [
      put('a', [1, 2], 'A', 'absent', uncertain),
      get('b', [3, 4], null),
      get('b', [5, 6], ['A', 'v1']),
      put('b', [7, 8], 'B', 'v1', 'v2'),
      put('a', [9, 10], 'A2', 'absent', refused),
    ],
    'two uncertain puts of one value': [
      put('a', [1, 2], 'A', 'absent', 'v1'),
      put('a', [3, 4], 'X', 'v1', uncertain),
      put('b', [3, 4], 'X', 'v1', uncertain),
      get('b', [5, 6], ['X', 'v2']),
    ],
    'documents that are removed and made again': [
      put('a', [1, 2], 'A', 'absent', 'v1'),
      remove('a', [3, 4], 'v1'),
      get('b', [5, 6], null),
      put('b', [7, 8], 'B', 'absent', 'v2'),
      remove('b', [9, 10]),
      remove('b', [11, 12]),
      get('b', [13, 14], null),
    ],
    'an uncertain remove that takes effect much later': [
      put('a', [1, 2], 'A', 'absent', 'v1'),
      remove('b', [3, 4], null, uncertain),
      put('a', [5, 6], 'B', 'v1', 'v2'),
      get('a', [7, 8], ['B', 'v2']),
      get('a', [9, 10], null),
    ],
    'a conflict with somebody whose answer came later': [
      put('a', [1, 9], 'A', 'absent', 'v1'),
      put('b', [2, 3], 'B', 'absent', refused),
    ],
  }
  for (const [name, calls] of Object.entries(histories)) {
    test(name, () => expect(checkHistory(historyOf(calls))).toEqual([]))
    test(`${name}, whatever the order of the events`, () =>
      expect(checkHistory(historyOf(calls).toReversed())).toEqual([]))
  }
})

describe('events', () => {
  test('that cannot be paired are a TypeError', () => {
    const events = historyOf([append('a', [1, 2], 0, ['1'])])
    expect(() => checkHistory([...events, ...events])).toThrow(/recorder an actor of its own/)
    expect(() => checkHistory(events.slice(1))).toThrow(/never started/)
  })

  test('are read from lines, without one that a killed process cut', () => {
    const events = historyOf([append('a', [1, 2], 0, ['1'])])
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('')
    expect(parseHistory(lines)).toEqual(events)
    expect(parseHistory(lines.trimEnd())).toEqual(events)
    expect(parseHistory(lines.slice(0, -5))).toEqual(events.slice(0, 1))
    expect(() => parseHistory(`{"cut\n${lines}`)).toThrow(/line 1/)
  })
})

describe('recording', () => {
  contractSuite({
    name: 'memory through recording',
    async create() {
      const store = new MemoryStore()
      const time = sequence()
      let actors = 0
      const open = async () => {
        const events: HistoryEvent[] = []
        return recording(memory({ store }), {
          actor: `actor ${++actors}`,
          time,
          write: (event) => events.push(event),
        })
      }
      return { open, destroy: async () => {} }
    },
  })

  test('writes each call down before the store is asked, and after it has answered', async () => {
    const events: HistoryEvent[] = []
    const store = new MemoryStore()
    const adapter = recording(memory({ store }), { actor: 'a', time: sequence(), write: (event) => events.push(event) })
    const records = ['1', '2']
    const appended = adapter.append('log', 0, records)
    records.push('3')
    expect(events).toHaveLength(1)
    await appended
    await expect(adapter.append('log', 0, ['x'])).rejects.toMatchObject({ code: 'CONFLICT' })
    const reading = adapter.read('log', { to: 5, reverse: true })
    expect(events).toHaveLength(4)
    for await (const { at } of reading) if (at === 0) break
    await Array.fromAsync(adapter.read('log'))
    const version = await adapter.put('key', '{}', { expect: 'absent' })
    await adapter.get('key')
    await adapter.remove('key', { expect: version })
    await adapter.get('key')
    await adapter.drop('log')
    expect(JSON.parse(JSON.stringify(events))).toEqual(events)
    const answers = events.flatMap((event) => ('ended' in event ? [event.ended] : []))
    const batches = [{ at: 0, records: ['1', '2'] }]
    expect(answers).toEqual([
      { outcome: 'ok' },
      { outcome: 'failed', code: 'CONFLICT' },
      { outcome: 'left', batches },
      { outcome: 'ok', batches },
      { outcome: 'ok', version },
      { outcome: 'ok', document: { value: '{}', version } },
      { outcome: 'ok' },
      { outcome: 'ok', document: null },
      { outcome: 'ok' },
    ])
    expect(events.map(({ time }) => time)).toEqual(events.map((_, i) => i + 1))
    expect(events[0]).toEqual({
      actor: 'a',
      call: 1,
      time: 1,
      started: { operation: 'append', log: 'log', at: 0, records: ['1', '2'] },
    })
    expect(checkHistory(events)).toEqual([])
  })

  test('tells an uncertain failure from a definite one', async () => {
    const events: HistoryEvent[] = []
    const inner = memory()
    const failing = { ...inner, append: async () => Promise.reject(new Error('not of this library')) }
    const adapter = recording(failing, { actor: 'a', time: sequence(), write: (event) => events.push(event) })
    await expect(adapter.append('log', 0, ['1'])).rejects.toThrow('not of this library')
    expect(events[1]).toMatchObject({ ended: { outcome: 'failed', code: 'Error' } })
  })
})

test('a history in which everything happens at one time shows nothing about order', () => {
  const calls = [
    append('a', [5, 5], 0, ['1']),
    read('b', [5, 5], []),
    put('a', [5, 5], 'A', 'absent', 'v1'),
    get('b', [5, 5], null),
  ]
  expect(checkHistory(historyOf(calls))).toEqual([])
})

test('any number of removals and puts that nobody knows of is checked in no time', () => {
  const lost = Array.from({ length: 40 }, (_, i) => [
    remove('a', [4 * i, 4 * i + 1], null, uncertain),
    put('b', [4 * i + 2, 4 * i + 3], `lost ${i}`, 'absent', uncertain),
  ])
  const kept = Array.from({ length: 20 }, (_, i) => [
    put('c', [200 + 4 * i, 201 + 4 * i], `kept ${i}`, 'absent', `v${i}`),
    get('c', [202 + 4 * i, 203 + 4 * i], [`kept ${i}`, `v${i}`]),
  ])
  const calls = [...lost, ...kept].flat()
  expect(checkHistory(historyOf(calls))).toEqual([])
  expect(checkHistory(historyOf([...calls, get('d', [700, 701], ['kept 3', 'v3'])]))).toMatchObject([
    { rule: 'document.order', calls: [{ actor: 'd' }] },
  ])
})
