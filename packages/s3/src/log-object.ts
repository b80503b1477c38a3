import { MAX_INDEX } from '@sessiontree/core'
import { decodeBody, encodeBody, isCount, LAYOUT } from './body.ts'
import { BLOCK, type Held } from './overlap.ts'

// Smaller is a stub: so a listing tells the two apart.
const LEAST_BYTES = 128

/** One committed batch, with the records before it that it repeats. */
export interface LogObject {
  /** Random, one per append: by it a writer knows its own. */
  readonly id: string
  /** The index of the first of its own records. */
  readonly at: number
  /** Where the next object begins; equal to `at` for a stub. */
  readonly end: number
  /** The index of the first of `records`. */
  readonly from: number
  readonly records: readonly Uint8Array[]
}

/** The body of the object at index `at`; `repeated` are the records right before `own`. */
export function encodeLogObject(
  at: number,
  id: string,
  repeated: readonly Uint8Array[],
  own: readonly Uint8Array[],
): Uint8Array {
  const header = { a: at, n: own.length, r: repeated.length, id }
  return encodeBody(header, [...repeated, ...own], { residue: repeated.length, least: LEAST_BYTES })
}

/** What a drop leaves at the index after the last record and at that of the last batch, so that a writer who comes late finds the place taken. */
export function encodeStub(at: number, id: string): Uint8Array {
  return encodeBody({ a: at, n: 0, r: 0, id }, [])
}

/** Whether an object is what a drop leaves, by its size. */
export const isStubSize = (size: number): boolean => size < LEAST_BYTES

/**
 * Takes the object at index `at` apart. Undefined if it is damaged or belongs elsewhere.
 *
 * @throws {SessionError} `FORMAT` if a newer version of this package wrote it.
 */
export function decodeLogObject(body: Uint8Array, at: number): LogObject | undefined {
  const decoded = decodeBody(body)
  if (!decoded) return undefined
  const { a, n, r, id } = decoded.header
  const records = decoded.texts
  if (a !== at || !isCount(n) || !isCount(r) || n + r !== records.length || r > at) return undefined
  if (typeof id !== 'string' || at + n > MAX_INDEX) return undefined
  return { id, at, end: at + n, from: at - r, records }
}

/** Enough bytes from the start of an object to tell where its own records end, and whose it is. */
export const HEADER_START_BYTES: number = LEAST_BYTES

const HEADER_START = /^\{"f":(\d+),"a":(\d+),"n":(\d+),"r":\d+,"id":"([0-9a-f]{32})"/

/** Where the own records of the object at index `at` end, and its id, from its first bytes; nothing if they are damaged. */
export function decodeHeaderStart(start: Uint8Array, at: number): { readonly end?: number; readonly id?: string } {
  const [, f, a, n, id] = HEADER_START.exec(String.fromCharCode(...start.subarray(0, HEADER_START_BYTES))) ?? []
  return id !== undefined && Number(f) === LAYOUT && Number(a) === at ? { end: at + Number(n), id } : {}
}

/** What an object holds as its size tells it: a hint for what to fetch; the header decides. */
export function heldBySize(at: number, size: number, etag?: string): Held {
  return { at, size, from: Math.max(0, at - (size % BLOCK)), etag }
}
