import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { encodeBatch } from '../../src/line.ts'

const BUFFERED = 4 * 1024 * 1024

/** Writes a log of `count` records straight in the stored format, each a batch of its own; returns its file. */
export function generateLog(root: string, log: string, count: number, textOf: (at: number) => string): string {
  const path = join(root, 'log', `${log}.jsonl`)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'wx')
  let pos = 0
  let waiting: Buffer[] = []
  let size = 0
  const flush = () => {
    writeSync(file, Buffer.concat(waiting))
    waiting = []
    size = 0
  }
  for (let at = 0; at < count; at++) {
    const batch = encodeBatch({ at, pos, by: 'generated', body: 'record' }, [textOf(at)])
    pos += batch.length
    size += batch.length
    waiting.push(batch)
    if (size > BUFFERED) flush()
  }
  flush()
  closeSync(file)
  return path
}
