import { describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { InputError } from '../src/input-error.ts'
import { parsePiSession } from '../src/pi-session.ts'

const TIME = '2026-01-02T03:04:05.000Z'
const header = (fields: object = {}) => ({ type: 'session', id: 's1', timestamp: TIME, ...fields })
const file = (...lines: unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('')
const user = (fields: object = {}) => ({ type: 'message', message: { role: 'user', content: 'hello' }, ...fields })

describe('version 1', () => {
  test('is linear: ids from line numbers, each the child of the entry before it', () => {
    const session = parsePiSession(file(header(), user(), user(), user()))
    expect(session).toMatchObject({ version: 1, id: 's1' })
    expect(session.entries.map(({ id, parentId }) => [id, parentId])).toEqual([
      ['line-2', null],
      ['line-3', 'line-2'],
      ['line-4', 'line-3'],
    ])
  })

  test('ids are the line numbers of an editor, blank lines counted, all equally long', () => {
    const { entries } = parsePiSession(`${file(header())}\n${file(...Array.from({ length: 9 }, () => user()))}`)
    expect([entries[0]?.id, entries.at(-1)?.id]).toEqual(['line-03', 'line-11'])
  })

  test("firstKeptEntryIndex counts the header as 0 and becomes that line's id", () => {
    const compaction = { type: 'compaction', summary: 's', firstKeptEntryIndex: 2, tokensBefore: 9 }
    const { entries } = parsePiSession(file(header(), user(), user(), user(), compaction))
    expect(entries.at(-1)?.fields).toEqual({ summary: 's', tokensBefore: 9, firstKeptEntryId: 'line-3' })
  })

  test('firstKeptEntryIndex skips blank lines, as pi does', () => {
    const compaction = { type: 'compaction', summary: 's', firstKeptEntryIndex: 2 }
    const { entries } = parsePiSession(`${file(header(), user())}\n\n${file(user(), compaction)}`)
    expect(entries.at(-1)?.fields['firstKeptEntryId']).toBe('line-5')
  })

  test('a compaction that keeps from the header on names no entry', () => {
    const { entries } = parsePiSession(
      file(header(), user(), { type: 'compaction', summary: 's', firstKeptEntryIndex: 0 }),
    )
    expect(entries.at(-1)?.fields).toEqual({ summary: 's' })
  })

  test.each([2, 3, -1, 1.5, '1'])('a compaction in line 3 refuses firstKeptEntryIndex %j', (firstKeptEntryIndex) => {
    const text = file(header(), user(), { type: 'compaction', summary: 's', firstKeptEntryIndex })
    expect(() => parsePiSession(text)).toThrow(/^line 3: firstKeptEntryIndex/)
  })
})

describe('version 3', () => {
  test('keeps ids and parents, in file order', () => {
    const { version, entries } = parsePiSession(
      file(
        header({ version: 3 }),
        user({ id: 'a', parentId: null }),
        user({ id: 'b', parentId: 'a' }),
        user({ id: 'c', parentId: 'a' }),
      ),
    )
    expect(version).toBe(3)
    expect(entries.map(({ id, parentId }) => [id, parentId])).toEqual([
      ['a', null],
      ['b', 'a'],
      ['c', 'a'],
    ])
  })

  test('times come out in UTC; a line without a valid one has the time of the header', () => {
    const { entries } = parsePiSession(
      file(
        header({ version: 3 }),
        user({ id: 'a', timestamp: '2026-01-02T05:00:00+01:00' }),
        user({ id: 'b', timestamp: 'yesterday' }),
        user({ id: 'c' }),
      ),
    )
    expect(entries.map(({ createdAt }) => createdAt)).toEqual(['2026-01-02T04:00:00.000Z', TIME, TIME])
  })

  test('fields keep what the line says, __proto__ too', () => {
    const line = '{"type":"custom","id":"a","parentId":null,"customType":"x","__proto__":{"y":1}}\n'
    const [entry] = parsePiSession(file(header({ version: 3 })) + line).entries
    expect(JSON.stringify(entry?.fields)).toBe('{"customType":"x","__proto__":{"y":1}}')
  })

  test.each([
    ['no id', user({ parentId: null }), 'line 3: the entry has no id'],
    ['a taken id', user({ id: 'a', parentId: null }), 'line 3: id "a" is taken by line 2'],
    ['an unknown parent', user({ id: 'b', parentId: 'z' }), 'line 3: parentId "z" names no entry before it'],
    ['itself as parent', user({ id: 'b', parentId: 'b' }), 'line 3: parentId "b" names no entry before it'],
    ['no type', { id: 'b', parentId: 'a' }, 'line 3: the entry has no type'],
    ['a second header', header({ id: 'b', parentId: 'a' }), 'line 3: a second session header'],
  ])('refuses an entry with %s', (_what, line, message) => {
    const text = file(header({ version: 3 }), user({ id: 'a', parentId: null }), line)
    expect(() => parsePiSession(text)).toThrow(new InputError(message))
  })
})

describe('what is no session file', () => {
  test.each([
    ['nothing', '', 'not a pi session: the file is empty'],
    ['another JSONL file', file({ type: 'summary' }), 'not a pi session: line 1 is no session header'],
    ['a newer version', file(header({ version: 4 })), 'line 1: session version 4 is unknown; versions 1 to 3 are read'],
    ['a header without id', file({ ...header(), id: undefined }), 'line 1: the session header has no id'],
    ['a header without time', file(header({ timestamp: 7 })), 'line 1: the session header has no valid timestamp'],
    ['a cut last line', file(header(), user()).slice(0, -20), 'line 2: not JSON'],
    ['a list for a line', file(header(), [1]), 'line 2: expected a JSON object'],
    ['null for a line', file(header(), null), 'line 2: expected a JSON object'],
  ])('%s', (_what, text, message) => {
    expect(() => parsePiSession(text)).toThrow(InputError)
    expect(() => parsePiSession(text)).toThrow(message)
  })

  test('no message quotes the file', () => {
    expect(() => parsePiSession(`${file(header())}{"secret": hunter2`)).toThrow(/^(?!.*hunter2)/)
  })
})

function keptBy(version: 1 | 3) {
  const { entries } = parsePiSession(generateTranscript({ version }))
  const { fields } = entries.find(({ type }) => type === 'compaction') ?? {}
  return entries.find(({ id }) => id === fields?.['firstKeptEntryId'])?.fields['message']
}

describe('the generated transcript', () => {
  test('is the same text for the same seed and another for another', () => {
    expect(generateTranscript({ seed: 7 })).toBe(generateTranscript({ seed: 7 }))
    expect(generateTranscript({ seed: 8 })).not.toBe(generateTranscript({ seed: 7 }))
  })

  test('has two branches, tool calls with their results, a compaction and characters beyond the 16-bit plane', () => {
    const text = generateTranscript()
    const { entries } = parsePiSession(text)
    const children = Map.groupBy(entries, ({ parentId }) => parentId)
    expect(entries.length).toBeGreaterThanOrEqual(38)
    expect([...children.values()].filter((siblings) => siblings.length > 1).map((siblings) => siblings.length)).toEqual(
      [2],
    )
    expect(text).toMatch(/\p{Emoji_Presentation}/u)
    expect(text).toContain('"toolCall"')
    expect(entries.filter(({ type }) => type === 'compaction')).toHaveLength(1)
  })

  test('as version 1 it keeps the compaction at the same message', () => {
    expect(keptBy(1)).toBeDefined()
    expect(keptBy(1)).toEqual(keptBy(3))
  })
})
