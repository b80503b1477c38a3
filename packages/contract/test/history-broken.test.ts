import { readFile } from 'node:fs/promises'
import { checkHistory } from '@sessiontree/contract/history'
import { describe, expect, test } from 'vitest'
import {
  append,
  denied,
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

describe('histories that no correct store can have', () => {
  const one = append('a', [1, 2], 0, ['1'])
  const broken: readonly (readonly [rule: string, name: string, calls: readonly TimelineCall[]])[] = [
    ['append.twice', 'two acknowledged appends at one index', [one, append('b', [1, 2], 0, ['2'])]],
    [
      'append.twice',
      'inside the batch of somebody else',
      [append('a', [1, 2], 0, ['1', '2', '3']), append('b', [1, 2], 1, ['x'])],
    ],
    [
      'append.lost',
      'another record at an acknowledged index',
      [one, append('b', [1, 2], 0, ['2'], uncertain), read('c', [3, 4], [[0, '2']])],
    ],
    ['read.stale', 'an acknowledged append that no read shows', [one, read('c', [3, 4], [])]],
    [
      'read.stale',
      'the last of three is missing',
      [append('a', [1, 2], 0, ['1', '2', '3']), append('a', [3, 4], 3, ['4']), read('c', [5, 6], [[0, '1', '2', '3']])],
    ],
    [
      'read.stale',
      'a reverse read of an old tail',
      [one, append('a', [3, 4], 1, ['2']), read('c', [5, 6], [[0, '1']], { reverse: true, limit: 1 })],
    ],
    [
      'read.stale',
      'a read that goes back behind another one',
      [append('a', [1, 20], 0, ['1']), read('b', [2, 3], [[0, '1']]), read('c', [4, 5], [])],
    ],
    ['append.moved', 'a record that stands there twice', [one, read('c', [3, 4], [[0, '1', '1']])]],
    ['read.stale', 'empty although the drop was refused', [one, drop('a', [3, 4], denied), read('c', [5, 6], [])]],
    [
      'append.moved',
      'a record at another index',
      [one, append('a', [3, 4], 1, ['2'], uncertain), read('c', [5, 6], [[0, '2']])],
    ],
    [
      'append.refused',
      'a record of an append that was refused',
      [one, append('b', [3, 4], 1, ['2'], denied), read('c', [5, 6], [[0, '1', '2']])],
    ],
    [
      'append.refused',
      'a record of an append that was refused, elsewhere',
      [one, append('b', [3, 4], 0, ['2'], refused), read('c', [5, 6], [[0, '1', '2']])],
    ],
    ['append.torn', 'half of a batch at the end', [append('a', [1, 5], 0, ['1', '2']), read('c', [2, 3], [[0, '1']])]],
    [
      'append.torn',
      'half of an uncertain batch',
      [append('a', [1, 2], 0, ['1', '2'], uncertain), read('c', [3, 4], [[0, '1']])],
    ],
    ['append.gap', 'acknowledged beyond the end', [append('a', [1, 2], 3, ['1'])]],
    [
      'append.gap',
      'acknowledged inside an uncertain batch',
      [append('a', [1, 2], 0, ['1', '2'], uncertain), append('b', [3, 4], 1, ['x'])],
    ],
    [
      'append.gap',
      'acknowledged behind what nobody knows to be there',
      [append('a', [1, 2], 3, ['x'], uncertain), append('b', [3, 4], 4, ['y'])],
    ],
    [
      'append.gap',
      'acknowledged behind a batch that another one excludes',
      [one, append('b', [1, 2], 0, ['x', 'y'], uncertain), append('c', [3, 4], 2, ['z'])],
    ],
    [
      'append.moved',
      'a record that was refused at one index and may be at another',
      [append('a', [1, 2], 4, ['x'], refused), append('a', [3, 4], 5, ['x'], uncertain), read('c', [5, 6], [[0, 'x']])],
    ],
    [
      'append.order',
      'acknowledged below what was acknowledged before',
      [append('a', [1, 10], 0, ['1']), append('b', [2, 3], 1, ['2']), append('c', [4, 5], 0, ['x'])],
    ],
    [
      'append.order',
      'acknowledged at what had been read before',
      [append('a', [1, 2], 0, ['1'], uncertain), read('b', [3, 4], [[0, '1']]), append('c', [5, 6], 0, ['1'])],
    ],
    ['read.unknown', 'a record that nobody appended', [one, read('c', [3, 4], [[0, '1', '?']])]],
    [
      'read.unknown',
      'a record that nobody had appended yet',
      [read('c', [0, 1], [[0, '1']]), append('a', [2, 3], 0, ['1'])],
    ],
    [
      'read.changed',
      'two reads that differ',
      [
        append('a', [1, 2], 0, ['1'], uncertain),
        append('b', [1, 2], 0, ['2'], uncertain),
        read('c', [3, 4], [[0, '1']]),
        read('d', [5, 6], [[0, '2']]),
      ],
    ],
    [
      'read.order',
      'a hole in a read',
      [
        append('a', [1, 2], 0, ['1', '2', '3']),
        read(
          'c',
          [3, 4],
          [
            [0, '1'],
            [2, '3'],
          ],
        ),
      ],
    ],
    [
      'read.order',
      'a read that does not start where it should',
      [append('a', [1, 2], 0, ['1', '2']), read('c', [3, 4], [[1, '2']])],
    ],
    [
      'read.order',
      'a reverse read that is ascending',
      [
        append('a', [1, 2], 0, ['1', '2']),
        read(
          'c',
          [3, 4],
          [
            [0, '1'],
            [1, '2'],
          ],
          { reverse: true },
        ),
      ],
    ],
    [
      'read.order',
      'a reverse read that does not come down to its start',
      [append('a', [1, 2], 0, ['1', '2']), read('c', [3, 4], [[1, '2']], { reverse: true })],
    ],
    [
      'read.order',
      'more than the limit',
      [append('a', [1, 2], 0, ['1', '2']), read('c', [3, 4], [[0, '1', '2']], { limit: 1 })],
    ],
    [
      'read.order',
      'beyond the range',
      [append('a', [1, 2], 0, ['1', '2']), read('c', [3, 4], [[0, '1', '2']], { to: 1 })],
    ],
    ['read.order', 'an empty batch', [one, read('c', [3, 4], [[0, '1'], [1]])]],
    ['drop.gone', 'a record from before the drop', [one, drop('a', [3, 4]), read('c', [5, 6], [[0, '1']])]],
    [
      'drop.gone',
      'a late append that brings back what was before it',
      [
        append('a', [1, 2], 0, ['1']),
        drop('a', [3, 4]),
        append('b', [5, 6], 1, ['late']),
        read('c', [7, 8], [[0, '1', 'late']]),
      ],
    ],
    [
      'put.lost-update',
      'two puts that replaced one version',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('b', [3, 4], 'B', 'v1', 'v2'), put('c', [3, 4], 'C', 'v1', 'v3')],
    ],
    [
      'put.lost-update',
      'a remove and a put of one version',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('b', [3, 4], 'B', 'v1', 'v2'), remove('c', [3, 4], 'v1')],
    ],
    [
      'put.version',
      'a version that returns',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('a', [3, 4], 'B', 'v1', 'v2'), put('a', [5, 6], 'A', 'v2', 'v1')],
    ],
    [
      'put.version',
      'two values under one version',
      [put('a', [1, 2], 'A', 'absent', 'v1'), get('b', [3, 4], ['B', 'v1'])],
    ],
    [
      'put.version',
      'another version than the put was told',
      [put('a', [1, 2], 'A', 'absent', 'v1'), get('b', [3, 4], ['A', 'v2'])],
    ],
    ['put.refused', 'a put that was refused', [put('a', [1, 2], 'A', 'absent', denied), get('b', [3, 4], ['A', 'v1'])]],
    ['get.unknown', 'a value that nobody put', [get('b', [3, 4], ['A', 'v1'])]],
    [
      'get.unknown',
      'a value that nobody had put yet',
      [get('b', [1, 2], ['A', 'v1']), put('a', [3, 4], 'A', 'absent', uncertain)],
    ],
    [
      'document.order',
      'a stale get',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('a', [3, 4], 'B', 'v1', 'v2'), get('b', [5, 6], ['A', 'v1'])],
    ],
    ['document.order', 'a document that is not there', [put('a', [1, 2], 'A', 'absent', 'v1'), get('b', [3, 4], null)]],
    [
      'document.order',
      'a get that goes back behind another one',
      [
        put('a', [1, 2], 'A', 'absent', 'v1'),
        put('a', [3, 20], 'B', 'v1', 'v2'),
        get('b', [5, 6], ['B', 'v2']),
        get('c', [7, 8], ['A', 'v1']),
      ],
    ],
    [
      'document.order',
      'a removed document that returns',
      [put('a', [1, 2], 'A', 'absent', 'v1'), remove('a', [3, 4]), get('b', [5, 6], ['A', 'v1'])],
    ],
    [
      'document.order',
      'two puts that found nothing',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('b', [1, 2], 'B', 'absent', 'v2')],
    ],
    [
      'document.order',
      'a put that expected a version from before a remove',
      [put('a', [1, 2], 'A', 'absent', 'v1'), remove('a', [3, 4]), put('b', [5, 6], 'B', 'v1', 'v2')],
    ],
    ['document.order', 'a put over a version that it cannot have known', [put('b', [5, 6], 'B', 'v9', 'v2')]],
    [
      'document.order',
      'a remove of a version that was replaced',
      [
        put('a', [1, 2], 'A', 'absent', 'v1'),
        put('a', [3, 4], 'B', 'v1', uncertain),
        get('a', [5, 6], ['B', 'v2']),
        remove('b', [7, 8], 'v1'),
      ],
    ],
    [
      'document.order',
      'a CONFLICT without anybody to conflict with',
      [put('a', [1, 2], 'A', 'absent', 'v1'), put('a', [3, 4], 'B', 'v1', refused)],
    ],
  ]
  test.each(broken)('%s: %s', (rule, _name, calls) => {
    const violations = checkHistory(historyOf(calls))
    expect(violations.map((found) => found.rule)).toContain(rule)
    for (const { subject, message, calls: involved } of violations) {
      expect(message.startsWith(`${subject}: `)).toBe(true)
      expect(involved.length).toBeGreaterThan(0)
    }
  })

  test('each of several appends inside one batch is found', () => {
    const calls = [
      append('a', [1, 2], 0, ['1', '2', '3', '4']),
      append('b', [1, 2], 1, ['x']),
      append('c', [1, 2], 3, ['y']),
    ]
    const twice = checkHistory(historyOf(calls)).filter(({ rule }) => rule === 'append.twice')
    expect(twice.map(({ calls: involved }) => involved.map(({ actor }) => actor))).toEqual([
      ['a', 'b'],
      ['a', 'c'],
    ])
  })

  test('each rule is broken at least once', async () => {
    const source = await readFile(new URL('../src/history/violation.ts', import.meta.url), 'utf8')
    const rules = [...source.matchAll(/^ {2}\| '([a-z.-]+)'$/gm)].map(([, rule]) => rule)
    expect(new Set(broken.map(([rule]) => rule))).toEqual(new Set(rules))
  })

  test('says in words what is wrong', () => {
    const [found] = checkHistory(historyOf([one, read('c', [3, 4], [])]))
    expect(found).toEqual({
      rule: 'read.stale',
      subject: 'log',
      message:
        "log: c's read (call 1) ends at 0 and misses index 0; before it began a's append (call 0) had shown a length of at least 1",
      calls: [
        { actor: 'a', call: 0 },
        { actor: 'c', call: 1 },
      ],
    })
  })
})
