import { bytesToHex } from '@noble/hashes/utils.js'
import { MAX_RECORD_BYTES } from '../adapter.ts'
import { canonicalJson, MAX_DEPTH, nestsAtMost } from '../canonical.ts'
import { checkText } from '../check.ts'
import { CorruptError } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import type { Random } from '../runtime.ts'

/** A value in a record log, with its place. */
export interface StoredValue<Value> {
  /** Which incarnation of the log it is in. */
  readonly incarnation: number
  /** Its index there: dense, from 0. */
  readonly at: number
  readonly value: Value
}

/** Says whose a record is: equal values of two calls have different texts. */
export function freshBy(random: Random): string {
  return bytesToHex(random.bytes(12))
}

/**
 * Encodes a value as the text of a record.
 *
 * @throws {TypeError} for what JSON would not give back deep-equal, or what is too large.
 */
export function encodeValue(by: string, value: unknown): string {
  canonicalJson(value)
  const text = `{"by":${JSON.stringify(by)},"value":${JSON.stringify(value)}}`
  checkText(text, MAX_RECORD_BYTES, 'record')
  return text
}

/** Whether a record's text is one that the call with this mark wrote. */
export const isBy = (text: string, by: string): boolean => text.startsWith(`{"by":${JSON.stringify(by)},`)

/** Decodes a record's text; undefined for the record that ends a log. */
export function decodeValue(text: string, at: number, log: string): { readonly value: unknown } | undefined {
  const corrupt = (why: string, cause?: unknown) =>
    new CorruptError(`Record ${at} of log ${log} ${why}.`, { log, at, cause })
  // Two levels more than a value may have.
  if (!nestsAtMost(text, MAX_DEPTH + 2)) throw corrupt(`nests deeper than ${MAX_DEPTH} levels`)
  let record: unknown
  try {
    record = parseJson(text)
  } catch (error) {
    throw corrupt('is not JSON', error)
  }
  const { by, value, type } = (record ?? {}) as {
    readonly by?: unknown
    readonly value?: unknown
    readonly type?: unknown
  }
  if (typeof by === 'string' && value !== undefined) return { value }
  if (by === undefined && type === 'closed') return undefined
  throw corrupt('is no record of a record log')
}
