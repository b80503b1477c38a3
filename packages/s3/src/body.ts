import { Crc32 } from '@aws-crypto/crc32'
import { SessionError } from '@sessiontree/core'

// No types of a platform here; every runtime has these two.
declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

const encoder = new TextEncoder()
// A text may begin with U+FEFF, and a byte that is no UTF-8 is damage.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const encodeText = (text: string): Uint8Array => encoder.encode(text)
export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes)

const NEWLINE = 10
const SPACE = 32

/** The version of the layout that this code writes: `f` in every body. */
export const LAYOUT = 1
/** What a listing tells about an object beside its key: its size modulo this. */
export const RESIDUES = 64

// `,"crc":"12345678"}`: last and of fixed length, so that it can cover every byte before it.
const CHECK_LENGTH = 18

/**
 * The body of every object of ours: one line of JSON, `texts` each with a newline, spaces up to the next size from `least` on
 * that leaves `residue`. The newlines are for people and for checking: a reader goes by the lengths in `lens`.
 */
export function encodeBody(
  header: object,
  texts: readonly Uint8Array[],
  padding?: { readonly residue: number; readonly least: number },
): Uint8Array {
  const lens = texts.map((text) => text.length)
  const start = encoder.encode(JSON.stringify({ f: LAYOUT, ...header, lens }).slice(0, -1))
  const line = start.length + CHECK_LENGTH + 1
  const used = lens.reduce((sum, length) => sum + length + 1, line)
  const body = new Uint8Array(padding ? paddedSize(Math.max(used, padding.least), padding.residue) : used)
  let at = line
  for (const text of texts) {
    body.set(text, at)
    at += text.length
    body[at++] = NEWLINE
  }
  body.set(start)
  body.set(encoder.encode(`,"crc":"${checksum(start, body.subarray(line, used))}"}\n`), start.length)
  return body.fill(SPACE, used)
}

/** The smallest size from `used` on that leaves `residue`. */
function paddedSize(used: number, residue: number): number {
  return used + ((((residue - used) % RESIDUES) + RESIDUES) % RESIDUES)
}

/** A body taken apart; what stands in `header` is for the caller to check. */
export interface DecodedBody {
  readonly header: Readonly<Record<string, unknown>>
  readonly texts: readonly Uint8Array[]
}

/**
 * Takes a body apart. Undefined if it is damaged: the checksum covers all but the padding.
 *
 * @throws {SessionError} `FORMAT` if a newer version of this package wrote it.
 */
export function decodeBody(body: Uint8Array): DecodedBody | undefined {
  assertLayout(body)
  const line = body.indexOf(NEWLINE) + 1
  const header = parseHeader(body.subarray(0, line))
  const lens: unknown = header?.['lens']
  if (!header || !Array.isArray(lens)) return undefined
  const texts: Uint8Array[] = []
  let at = line
  for (const length of lens as unknown[]) {
    if (!isCount(length) || body[at + length] !== NEWLINE) return undefined
    texts.push(body.subarray(at, at + length))
    at += length + 1
  }
  const crc = checksum(body.subarray(0, line - CHECK_LENGTH - 1), body.subarray(line, at))
  return crc === header['crc'] ? { header, texts } : undefined
}

function parseHeader(line: Uint8Array): Record<string, unknown> | undefined {
  try {
    const header: unknown = JSON.parse(decoder.decode(line))
    return typeof header === 'object' && header !== null ? (header as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

// Whatever else a newer layout changes, it begins like this.
const BEGINNING = /^\{"f":(\d+),/
const BEGINNING_BYTES = 24

function assertLayout(body: Uint8Array): void {
  const [, f = LAYOUT] = BEGINNING.exec(String.fromCharCode(...body.subarray(0, BEGINNING_BYTES))) ?? []
  if (Number(f) <= LAYOUT) return
  throw new SessionError(
    'FORMAT',
    `The bucket holds layout ${f}, this version of @sessiontree/s3 knows ${LAYOUT}: update the package.`,
  )
}

export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function checksum(start: Uint8Array, content: Uint8Array): string {
  return new Crc32().update(start).update(content).digest().toString(16).padStart(8, '0')
}
