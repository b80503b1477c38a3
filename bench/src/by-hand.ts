import { appendFileSync, closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Contestant } from './measure.ts'

/** What a contestant works with. */
export interface Setting {
  readonly records: number
  readonly together: number
  /** Each about 1 kB; no two are equal. */
  readonly recordAt: (at: number) => object
  /** A folder that is empty and nobody else's. */
  readonly freshFolder: () => string
}

export const RAW_WRITE = 'raw write'
export const RAW_FLUSH = 'raw write + fdatasync'
export const RAW_FLUSH_TOGETHER = 'raw write + fdatasync, 64 lines each'

/** The floor: nothing but the system calls, with bytes that were ready before. */
export function rawWrites({ records, together, recordAt, freshFolder }: Setting): readonly Contestant[] {
  const raw = (name: string, lines: number, flush: boolean): Contestant => ({
    name,
    prepare() {
      const file = openSync(join(freshFolder(), 'raw.jsonl'), 'a')
      const texts = Array.from({ length: records }, (_, at) => `${JSON.stringify(recordAt(at))}\n`)
      const writes: Buffer[] = []
      for (let at = 0; at < records; at += lines) writes.push(Buffer.from(texts.slice(at, at + lines).join('')))
      return {
        run() {
          for (const bytes of writes) {
            writeSync(file, bytes)
            if (flush) fdatasyncSync(file)
          }
          return records
        },
        end: () => closeSync(file),
      }
    },
  })
  return [raw(RAW_WRITE, 1, false), raw(RAW_FLUSH, 1, true), raw(RAW_FLUSH_TOGETHER, together, true)]
}

/** What agents do who keep sessions in files of their own: a line appended for each message; no checksum, no conflict, no flush. */
export function appendFile({ records, recordAt, freshFolder }: Setting): Contestant {
  return {
    name: 'by hand: appendFileSync',
    floor: RAW_WRITE,
    prepare() {
      const path = join(freshFolder(), 'session.jsonl')
      const messages = Array.from({ length: records }, (_, at) => recordAt(at))
      return {
        run() {
          for (const message of messages) appendFileSync(path, `${JSON.stringify(message)}\n`)
          return records
        },
      }
    },
  }
}
