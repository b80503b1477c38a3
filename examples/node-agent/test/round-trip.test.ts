import { isMessageEntry, openSessions, type StorageAdapter } from '@sessiontree/core'
import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { parsePiSession } from '../src/pi-session.ts'
import { piFormat } from '../src/pi-format.ts'
import { record, type Recorded } from '../src/record.ts'
import { show } from '../src/show.ts'
import { parseTranscript } from '../src/transcript.ts'

const signal = new AbortController().signal
const silent = () => {}

async function recordInto(store: MemoryStore, text: string, id = 's'): Promise<Recorded> {
  return record({ transcript: parseTranscript(text), place: { adapter: memory({ store }) }, id, print: silent, signal })
}

async function shown(adapter: StorageAdapter, recorded: Recorded): Promise<{ matches: boolean; lines: string[] }> {
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  return { matches: await show({ recorded, place: { adapter }, print, signal, columns: 100 }), lines }
}

describe.each([1, 3] as const)('the generated transcript as version %i', (version) => {
  const text = generateTranscript({ version })
  const session = parsePiSession(text)

  test('comes back whole: ids, parents, times, messages, and the leaf is the last line', async () => {
    const store = new MemoryStore()
    await recordInto(store, text)
    const sessions = openSessions(memory({ store }), { format: piFormat })
    const stored = await sessions.open('s')
    const entries = await Array.fromAsync(stored.entries())
    expect(entries.map(({ id, parentId, createdAt }) => ({ id, parentId, createdAt }))).toEqual(
      session.entries.map(({ id, parentId, createdAt }) => ({ id, parentId, createdAt })),
    )
    const messages = session.entries.flatMap(({ fields }) => (fields['message'] ? [fields['message']] : []))
    expect(
      entries.flatMap((entry): unknown[] => {
        if (isMessageEntry(entry)) return [entry.message]
        return entry.type === 'custom' && entry.name.startsWith('message/') ? [entry.data] : []
      }),
    ).toEqual(messages)
    expect((await stored.leaf())?.id).toBe(session.entries.at(-1)?.id)
    expect({ title: stored.title, createdAt: stored.createdAt }).toEqual({
      title: parseTranscript(text).title,
      createdAt: session.createdAt,
    })
  })

  test('the digest of the leaf depends on the transcript alone', async () => {
    const [one, other, changed] = await Promise.all([
      recordInto(new MemoryStore(), text),
      recordInto(new MemoryStore(), text, 'another id'),
      recordInto(new MemoryStore(), text.replace('Thanks!', 'Thanks?')),
    ])
    expect(other.leaf).toEqual(one.leaf)
    expect(changed.leaf?.digest).not.toBe(one.leaf?.digest)
  })

  test('show finds everything right and prints it', async () => {
    const store = new MemoryStore()
    const recorded = await recordInto(store, text)
    const { matches, lines } = await shown(memory({ store }), recorded)
    expect(matches).toBe(true)
    expect(lines).toContain(`  counts match the file: ${session.entries.length} entries`)
    expect(lines).toContain(`  digest   ${recorded.leaf?.digest}`)
    expect(lines.filter((line) => line.endsWith('◀ leaf'))).toHaveLength(1)
    // oxlint-disable-next-line no-control-regex
    expect(lines.join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
  })
})

test('an empty session is recorded and shown, too', async () => {
  const store = new MemoryStore()
  const recorded = await recordInto(store, '{"type":"session","id":"x","timestamp":"2026-01-01T00:00:00Z"}\n')
  expect(recorded).toMatchObject({ entries: 0, leaf: null })
  expect((await shown(memory({ store }), recorded)).matches).toBe(true)
})

test('a session that is there already is EXISTS and stays as it is', async () => {
  const store = new MemoryStore()
  const recorded = await recordInto(store, generateTranscript())
  await expect(recordInto(store, generateTranscript({ seed: 9 }))).rejects.toMatchObject({ code: 'EXISTS' })
  expect((await shown(memory({ store }), recorded)).matches).toBe(true)
})

test('aborted, it stops between two entries and what is stored is whole', async () => {
  const store = new MemoryStore()
  const controller = new AbortController()
  const adapter = memory({ store })
  let appends = 0
  const interrupting: StorageAdapter = {
    ...adapter,
    append(...args) {
      if (++appends === 7) controller.abort(new Error('stop'))
      return adapter.append(...args)
    },
  }
  const lines: string[] = []
  const transcript = parseTranscript(generateTranscript())
  const recording = record({
    transcript,
    place: { adapter: interrupting },
    id: 's',
    print: (line) => lines.push(line),
    signal: controller.signal,
  })
  await expect(recording).rejects.toThrow('stop')
  expect(lines).toEqual([`  stopped after 7 of ${transcript.entries.length} entries; these are stored`])
  const sessions = openSessions(memory({ store }), { format: piFormat })
  const session = await sessions.open('s')
  expect((await session.leaf())?.id).toBe(transcript.entries[6]?.id)
})

async function recordedStore() {
  const store = new MemoryStore()
  const recorded = await recordInto(store, generateTranscript())
  const records = [...store.logs.values()][0] as string[]
  return { store, recorded, records }
}

describe('show says what is wrong', () => {
  test('other counts than the file has', async () => {
    const { store, recorded: honest } = await recordedStore()
    const rows = honest.rows.map((row) => (row.kind === 'label' ? { ...row, count: 2 } : row))
    const { matches, lines } = await shown(memory({ store }), { ...honest, entries: 50, rows: rows.slice(1) })
    expect(matches).toBe(false)
    expect(lines.filter((line) => line.includes('WRONG'))).toEqual([
      '  WRONG: 45 entries are stored, the file has 50',
      '  WRONG: 1 of 2 label are stored as custom',
      '  WRONG: 1 entries ["branch_summary","branch_summary"] are stored that the file does not have',
    ])
  })

  test('another leaf', async () => {
    const { store, recorded: honest } = await recordedStore()
    const { matches, lines } = await shown(memory({ store }), { ...honest, leaf: { id: 'x', digest: '0'.repeat(64) } })
    expect(matches).toBe(false)
    expect(lines).toContain("  WRONG: the leaf is not pi's leaf")
    expect(lines).toContain('  WRONG: the digest of the leaf is not the one recorded')
  })

  test('a changed message', async () => {
    const { store, recorded: honest, records } = await recordedStore()
    const at = records.findIndex((text) => text.includes('Why does'))
    records[at] = (records[at] as string).replace('Why does', 'Why did')
    const { matches, lines } = await shown(memory({ store }), honest)
    expect(matches).toBe(false)
    expect(lines).toContain(`  WRONG: The content of record ${at} does not have its hash.`)
  })

  test('a changed message with a hash that fits', async () => {
    const { store, recorded: honest, records } = await recordedStore()
    const { contentHash, decodeRecord } = await import('@sessiontree/core')
    const at = records.findIndex((text) => text.includes('Why does'))
    const changed = (records[at] as string).replace('Why does', 'Why did')
    const { content, hash } = decodeRecord(changed, [0, at], 'log')
    records[at] = changed.replace(hash, contentHash(content))
    const { matches, lines } = await shown(memory({ store }), honest)
    expect(matches).toBe(false)
    expect(lines).toContain(`  WRONG: Record ${at} does not have its digest: its path or envelope was changed.`)
  })

  test('a changed time', async () => {
    const { store, recorded: honest, records } = await recordedStore()
    records[3] = (records[3] as string).replace(/"createdAt":"2026/, '"createdAt":"2025')
    const { lines } = await shown(memory({ store }), honest)
    expect(lines).toContain('  WRONG: Record 3 does not have its digest: its path or envelope was changed.')
  })
})
