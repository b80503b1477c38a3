import { SessionError, type ReadRange, type RecordBatch, type StorageAdapter } from '@sessiontree/core'
import { broken, push, tick, type BrokenStore } from './broken-store.ts'

/** A fault that delivers all in one step. */
const inOneStep = () => (handle: StorageAdapter) => ({
  async *read(log: string, range: ReadRange = {}): AsyncGenerator<RecordBatch> {
    const batches = await Array.fromAsync(handle.read(log, range))
    const ascending = range.reverse ? batches.toReversed() : batches
    const [first] = ascending
    if (first) yield { at: first.at, records: ascending.flatMap((batch) => batch.records) }
  },
})

/** A fault that repeats or loses a name where a listing goes on to its next page. */
const atPages = (turn: (page: readonly string[]) => readonly string[]) =>
  async function* (names: AsyncIterable<readonly string[]>) {
    for await (const page of names) yield page.length === PAGE ? turn(page) : page
  }
const PAGE = 1000

/** Stores that go wrong when there is much. */
export const brokenLong: readonly BrokenStore[] = [
  broken('read/long', 'a long log is read in one piece', inOneStep),
  broken('read/long', 'a page ends one record early', () => (handle) => ({
    async *read(log, range) {
      for await (const { at, records } of handle.read(log, range)) {
        yield { at, records: records.length === PAGE && at > 50_000 ? records.slice(0, -1) : records }
      }
    },
  })),
  broken('read/beside', 'a read shows the first record of a batch that is being appended', (store) => (handle) => ({
    async append(log, at, records) {
      const copy = [...records]
      if (copy.length === 1 || at < 24) return handle.append(log, at, copy)
      push(store, log, copy.slice(0, 1))
      await tick(2)
      push(store, log, copy.slice(1))
    },
  })),
  broken('list/many-keys', 'keys stop at the thousandth', () => (handle) => ({
    async *keys(prefix, options) {
      for await (const page of handle.keys(prefix, options)) {
        yield page
        return
      }
    },
  })),
  broken('list/many-keys', 'the last key of a page is named again on the next', () => (handle) => ({
    keys: (prefix, options) => atPages((page) => [...page, ...page.slice(-1)])(handle.keys(prefix, options)),
  })),
  broken('list/many-logs', 'the last log of a page is lost', () => (handle) => ({
    logs: (prefix, options) => atPages((page) => page.slice(0, -1))(handle.logs(prefix, options)),
  })),

  broken('text/large', 'a text over 6 MB is cut', () => (handle) => ({
    append: (log, at, records) => handle.append(log, at, records.map(cut)),
  })),
  broken('text/large', 'a deep text is too much for a parser', () => (handle) => ({
    put: (key, value, options) => {
      // What a recursive parser does; that of V8 14 goes as deep as one likes.
      if (/\[{10000}/.test(value)) throw new SessionError('IO', 'Too deep.')
      return handle.put(key, value, options)
    },
  })),
]

// What is out of bounds goes on to the checks as it is.
const cut = (text: string) => (text.length < 2 ** 24 ? text.slice(0, 6_000_000) : text)
