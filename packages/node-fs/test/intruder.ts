import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { encodeBatch, type Body } from '../src/line.ts'

/** Lets another process append a line to a file, or make one with it. */
export function intrude(path: string, at: number, body: Body, text: string): void {
  const pos = existsSync(path) ? statSync(path).size : 0
  appendFileSync(path, encodeBatch({ at, pos, by: 'intruder', body }, [text]))
}

/** Rolls a document over as another process does: a complete file, a seal, and perhaps the rename. */
export function rollOver(path: string, at: number, text: string, { rename = false } = {}): string {
  const next = `a.jsonl+${at}+${Math.random().toString(36).slice(2)}`
  intrude(join(path, '..', next), at, 'record', text)
  intrude(path, at, 'next', JSON.stringify(next))
  if (rename) renameSync(join(path, '..', next), path)
  return next
}
