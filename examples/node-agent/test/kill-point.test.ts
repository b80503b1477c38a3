import { describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { chooseKillPoint } from '../src/kill-point.ts'
import { parseTranscript } from '../src/transcript.ts'

const { entries } = parseTranscript(generateTranscript())
const seeds = Array.from({ length: 200 }, (_, seed) => seed)

describe('in a transcript with tool calls', () => {
  test('it lies behind a call whose result comes next, with any seed; every such call has its seeds', () => {
    const points = new Set<number>()
    for (const seed of seeds) {
      const { after, inToolCall, delay, torn } = chooseKillPoint(entries, seed) ?? expect.fail()
      expect(inToolCall).toBe(true)
      expect(entries[after - 1]?.content.type).toBe('tool_call')
      expect(entries[after]).toMatchObject({ parentId: entries[after - 1]?.id, content: { type: 'tool_result' } })
      expect(delay).toBeGreaterThanOrEqual(0)
      expect(torn).toBeLessThan(1)
      points.add(after)
    }
    expect(points.size).toBe(entries.filter(({ content }) => content.type === 'tool_call').length)
  })

  test('the seed decides', () => {
    for (const seed of seeds) expect(chooseKillPoint(entries, seed)).toEqual(chooseKillPoint(entries, seed))
  })
})

test('without tool calls it lies behind any entry, the last one too', () => {
  const plain = entries.filter(({ content }) => content.type === 'user_message').slice(0, 3)
  const points = seeds.map((seed) => chooseKillPoint(plain, seed))
  expect(new Set(points.map((point) => point?.after))).toEqual(new Set([1, 2, 3]))
  expect(points.every((point) => point?.inToolCall === false)).toBe(true)
})

test('in nothing there is none', () => {
  expect(chooseKillPoint([], 1)).toBeUndefined()
})
