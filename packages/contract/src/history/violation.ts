import type { Call } from './call.ts'

/** What a history can show to be broken. */
export type HistoryRule =
  /** Two acknowledged appends hold one index. */
  | 'append.twice'
  /** An acknowledged record is not where its caller put it. */
  | 'append.lost'
  /** A record stands at another index than the one that it was appended at. */
  | 'append.moved'
  /** An append that was refused for good is there. */
  | 'append.refused'
  /** A part of a batch is there without the rest. */
  | 'append.torn'
  /** An acknowledged append began where no batch ended. */
  | 'append.gap'
  /** An append took an index that was taken before it began. */
  | 'append.order'
  /** A record is there that nobody had appended yet. */
  | 'read.unknown'
  /** The batches of one read do not follow one another, or lie outside of what was asked. */
  | 'read.order'
  /** Two reads show two records at one index. */
  | 'read.changed'
  /** A read misses what was acknowledged, or had been read, before it began. */
  | 'read.stale'
  /** A read that began after an acknowledged drop shows what was there before. */
  | 'drop.gone'
  /** Two writers were told that each of them replaced the same version. */
  | 'put.lost-update'
  /** One version names two puts or two values. */
  | 'put.version'
  /** A put that was refused for good is there. */
  | 'put.refused'
  /** A document shows a value that nobody had put yet. */
  | 'get.unknown'
  /** No order of the calls explains this answer: a stale or lost document, a wrong CONFLICT, a version that was not current. */
  | 'document.order'

/** One broken promise. */
export interface Violation {
  readonly rule: HistoryRule
  /** The log or the key. */
  readonly subject: string
  /** What was seen and what should have been. Holds texts of records, cut short. */
  readonly message: string
  /** The calls that show it. */
  readonly calls: readonly { readonly actor: string; readonly call: number }[]
}

/** Makes a violation. */
export function violation(rule: HistoryRule, subject: string, message: string, calls: readonly Call[]): Violation {
  return { rule, subject, message: `${subject}: ${message}`, calls: calls.map(({ actor, call }) => ({ actor, call })) }
}

const LONGEST_EXCERPT = 60

/** A text, cut short for a message. */
export function excerpt(text: string): string {
  return text.length <= LONGEST_EXCERPT ? text : `${text.slice(0, LONGEST_EXCERPT)}… (${text.length} characters)`
}
