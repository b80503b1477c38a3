import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginTitle, needsTitle, normalizeTitle, titleFrom, type TitleState } from '../src/title.ts'

const now = '2026-11-21T10:00:00.000Z'

describe('titles', () => {
  test('tree:14 normalised: white space collapses, the edges go, at most 16 code points', () => {
    expect(normalizeTitle('  "Lost \n\t parcel." ')).toBe('Lost parcel')
    expect(normalizeTitle('a'.repeat(16))).toBe('a'.repeat(16))
    expect(normalizeTitle('a'.repeat(17))).toBe('a'.repeat(8))
    // The last space in the second half; without one, half of the limit.
    expect(normalizeTitle('Where is my lost parcel')).toBe('Where is my lost')
    expect(normalizeTitle('Where is my lost parcel now')).toBe('Where is my lost')
    expect(normalizeTitle('Where is mine, parcel')).toBe('Where is mine')
    expect(normalizeTitle('Where parcelparcelparcel')).toBe('Where pa')
    expect(normalizeTitle('😀é'.repeat(20))).toBe('é😀é😀é😀é')
    for (const nothing of ['', '  ', '"…"', '---']) expect(normalizeTitle(nothing)).toBe('')
  })

  test('never longer than 16 code points, never half a character, and the same again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const title = normalizeTitle(text)
        expect(Array.from(title).length).toBeLessThanOrEqual(16)
        expect(title.isWellFormed()).toBe(true)
        expect(normalizeTitle(title)).toBe(title)
      }),
    )
  })

  test('tree:14 made after a turn that completed or waits, while there is none', () => {
    expect(needsTitle({}, 'completed')).toBe(true)
    expect(needsTitle({ status: 'failed' }, 'waiting')).toBe(true)
    expect(needsTitle({ title: 'there' }, 'completed')).toBe(false)
    for (const status of ['idle', 'running', 'failed', 'cancelled', 'interrupted'] as const) {
      expect(needsTitle({}, status)).toBe(false)
    }
  })

  test('tree:14 success, failure, and what leaves nothing', () => {
    const state = beginTitle({})
    const after = (outcome: { text: string } | { error: string }) =>
      titleFrom(state, { generation: state.generation, outcome, now })
    expect(after({ text: 'Lost parcel.' })).toEqual({
      title: 'Lost parcel',
      status: 'ready',
      source: 'provider',
      updatedAt: now,
      generation: 1,
    })
    expect(after({ error: 'timeout' })).toEqual({ status: 'failed', updatedAt: now, error: 'timeout', generation: 1 })
    expect(after({ text: '…' })).toMatchObject({ status: 'failed', error: expect.stringContaining('nothing') })
    // A success clears the error of an earlier attempt.
    const failed = beginTitle(after({ error: 'timeout' }) as TitleState)
    const ready = titleFrom(failed, { generation: 2, outcome: { text: 'Parcel', source: 'fallback' }, now })
    expect(ready).toEqual({ title: 'Parcel', status: 'ready', source: 'fallback', updatedAt: now, generation: 2 })
  })

  test('tree:14 ⚠ a late answer changes nothing, and a title that is there is never overwritten', () => {
    const first = beginTitle({})
    const second = beginTitle(first)
    const outcome = { text: 'late' }
    expect(titleFrom(second, { generation: first.generation, outcome, now })).toBeUndefined()
    expect(titleFrom(second, { generation: second.generation, outcome, now })).toMatchObject({ title: 'late' })
    const host: TitleState = { ...second, title: 'mine', source: 'host' }
    expect(titleFrom(host, { generation: second.generation, outcome, now })).toBeUndefined()
  })
})
