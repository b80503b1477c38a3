import { CorruptError } from '@sessiontree/core'
import type { Invocation } from './invocation.ts'

/** Something that cannot be read, while the rest went on. */
export interface Damage {
  /** The line, or the record of a stored log, counted from 1. */
  readonly line: number
  /** How many lines; undefined: up to the end. */
  readonly lines: number | undefined
  readonly error: Error
}

/** A line of a file: a record, or damage. */
export type ParsedLine = { readonly line: number; readonly invocation: Invocation } | { readonly damage: Damage }

/** A text, or pieces of one: a file read as UTF-8, a decoded stream. */
export type TextSource = string | Iterable<string> | AsyncIterable<string>

/**
 * Reads a JSONL file as the earlier system and others write it, line by line.
 *
 * Contract
 * - LF or CRLF; empty and blank lines, and a missing last line feed, are fine. A line may be as long as memory allows.
 * - A line that is no object is reported with its number, and so is a torn last one; all others are delivered, with every field that they have.
 */
export async function* parseJsonl(source: TextSource): AsyncGenerator<ParsedLine, void, void> {
  let number = 0
  for await (const text of linesOf(source)) {
    number++
    if (text.trim() === '') continue
    try {
      const parsed: unknown = JSON.parse(text)
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('it is no object')
      yield { line: number, invocation: parsed as Invocation }
    } catch (cause) {
      const error = new CorruptError(`Line ${number} is no record: it is torn, or not one JSON object.`, {
        cause,
        at: number - 1,
      })
      yield { damage: { line: number, lines: 1, error } }
    }
  }
}

/** Writes records as JSONL: one object a line, a line feed behind each. */
export function* formatJsonl(invocations: Iterable<Invocation>): Generator<string, void, void> {
  for (const invocation of invocations) yield `${JSON.stringify(invocation)}\n`
}

/** The lines of a text in pieces. What is longer than a piece is put together once, not piece by piece. */
async function* linesOf(source: TextSource): AsyncGenerator<string, void, void> {
  let pieces: string[] = []
  for await (const piece of typeof source === 'string' ? [source] : source) {
    let from = 0
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', from)) {
      pieces.push(piece.slice(from, end))
      yield withoutReturn(pieces.join(''))
      pieces = []
      from = end + 1
    }
    if (from < piece.length) pieces.push(piece.slice(from))
  }
  if (pieces.length > 0) yield withoutReturn(pieces.join(''))
}

const withoutReturn = (line: string) => (line.endsWith('\r') ? line.slice(0, -1) : line)
