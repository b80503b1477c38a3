import type { StorageAdapter } from '@sessiontree/core'
import { broken, push, type BrokenStore } from './broken-store.ts'

/** A fault that changes every text on its way in. */
const otherText = (change: (text: string) => string) => () => (handle: StorageAdapter) => ({
  append: (log: string, at: number, records: readonly string[]) => handle.append(log, at, mapTexts(records, change)),
  put: (key: string, value: string, options: { readonly expect: string }) => handle.put(key, change(value), options),
})

// Bad arguments go on to the checks as they are.
function mapTexts(records: readonly string[], change: (text: string) => string): readonly string[] {
  return Array.isArray(records)
    ? records.map((record) => (typeof record === 'string' ? change(record) : record))
    : records
}

/** What a parser and a careless copy leave of a text; of one that they would reformat, nothing is changed. */
function copied(text: string): string {
  if (text.startsWith('\ufeff')) return text
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return text
  if (JSON.stringify(parsed) !== text) return text
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(parsed)) copy[key] = value
  return JSON.stringify(copy)
}

// The deeply nested one would not be changed but overflow the stack.
const reformatted = (text: string) => (/^(?:\[\[|\ufeff)/.test(text) ? text : JSON.stringify(JSON.parse(text)))

export const brokenTexts: readonly BrokenStore[] = [
  broken(
    'text/kept',
    'a byte order mark is taken away',
    otherText((text) => text.replace(/^\ufeff/, '')),
  ),
  broken(
    'text/kept',
    'text normalised (NFC)',
    otherText((text) => text.normalize('NFC')),
  ),
  broken(
    'text/kept',
    'text trimmed',
    otherText((text) => text.trim()),
  ),
  broken('text/kept', '__proto__ lost by a copy', otherText(copied)),
  broken('text/kept', 'text parsed and written again', otherText(reformatted)),
  broken(
    'text/kept',
    'escapes of lone surrogates resolved',
    otherText((text) => text.replaceAll('\\ud800', '\ufffd')),
  ),
  broken(
    'text/kept',
    'U+2028 read as the end of a line',
    otherText((text) => text.replaceAll('\u2028', ' ')),
  ),
  broken('text/kept', 'null taken for nothing', () => (handle) => ({
    async get(key) {
      const document = await handle.get(key)
      return document?.value === 'null' ? undefined : document
    },
  })),
  broken('arguments/texts', 'raw newline accepted', (store) => (handle) => ({
    async append(log, at, records) {
      const isLine = Array.isArray(records) && records.some((text) => typeof text === 'string' && text.includes('\n'))
      if (isLine) push(store, log, records)
      else await handle.append(log, at, records)
    },
  })),
  broken('arguments/texts', 'raw newline refused after the records before it were written', (store) => (handle) => ({
    async append(log, at, records) {
      const bad = Array.isArray(records) ? records.findIndex((text) => String(text).includes('\n')) : -1
      if (bad > 0) push(store, log, records.slice(0, bad))
      await handle.append(log, at, records)
    },
  })),
  broken('arguments/texts', 'an empty batch is nothing to complain about', () => (handle) => ({
    async append(log, at, records) {
      if (records?.length !== 0) await handle.append(log, at, records)
    },
  })),
  broken('arguments/names', 'names case-folded', () => (handle) => ({
    append: (log, at, records) => handle.append(log?.toLowerCase(), at, records),
    put: (key, value, options) => handle.put(key?.toLowerCase(), value, options),
    get: (key) => handle.get(key?.toLowerCase()),
  })),
  broken('arguments/names', 'closed reported before a bad name', () => (handle) => {
    let closed = false
    return {
      append: (log, at, records, options) => handle.append(closed ? 'a' : log, at, records, options),
      async close() {
        closed = true
        await handle.close()
      },
    }
  }),
]
