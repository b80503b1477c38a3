import { expect, test } from 'vitest'
import { costLines } from '../src/costs.ts'
import { Progress, table, tallyLines } from '../src/report.ts'

test('a table aligns numbers to the right and texts to the left, whatever the length of a row', () => {
  expect(table([['what', 'many'], ['a', 1], ['longer', 12_345, 'x'], ['end']])).toEqual([
    '  what      many',
    '  a            1',
    '  longer  12,345  x',
    '  end',
  ])
})

test('the names in a tally cannot steer the terminal', () => {
  expect(tallyLines([{ kind: 'message/\u001b[2J', type: 'custom', count: 1 }])[1]).toBe(
    '  message/\\u001b[2J  custom           1',
  )
})

test('progress comes every 200 steps, every second, and not at the end', () => {
  let now = 0
  const lines: string[] = []
  const progress = new Progress({ print: (line) => lines.push(line), total: 1400, what: 'entries', now: () => now })
  for (let done = 1; done <= 1400; done++) {
    if (done === 250 || done === 251) now += 1000
    if (done === 252) now += 999
    progress.step(done)
  }
  expect(lines.map((line) => line.trim().split(' ')[0])).toEqual([
    '200',
    '250',
    '251',
    '400',
    '600',
    '800',
    '1,000',
    '1,200',
  ])
  expect(lines[0]).toBe('  200 of 1,400 entries')
})

test('costs compare what was written with the content', () => {
  const lines = costLines({
    entries: [{ bytes: 600 }, { bytes: 400 }],
    durations: [1, 5],
    counts: {
      append: { calls: 2, records: 2, bytes: 1400 },
      put: { calls: 2, documents: 2, bytes: 100 },
      read: { calls: 0, batches: 0, records: 0, bytes: 0 },
      drop: { calls: 0 },
      logs: { calls: 0, pages: 0, names: 0 },
      get: { calls: 0, documents: 0, bytes: 0 },
      remove: { calls: 0 },
      keys: { calls: 0, pages: 0, names: 0 },
    },
    sizeOnDisk: 2000,
    requests: new Map([['PutObject', { count: 1004, bytes: 4000 }]]),
  }).join('\n')
  expect(lines).toMatch(/records and documents +1,500 +1\.50 × content/)
  expect(lines).toMatch(/on disk +2,000 +2\.00 × content/)
  expect(lines).toContain('2 entries in 0.01 s: 3.00 ms each, the slowest 5.0 ms')
  expect(lines).toMatch(/PutObject +1,004 +requests +4,000/)
  expect(lines).toMatch(/put into objects +4,000 +4\.00 × content/)
  expect(lines).not.toContain('keys')
})
