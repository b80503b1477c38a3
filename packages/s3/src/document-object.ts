import { decodeBody, decodeText, encodeBody, encodeText, RESIDUES } from './body.ts'

/** How many of its predecessors a document names. */
const REMEMBERED = 32

// A listing tells the two apart without fetching them.
const LIVE_RESIDUE = 0
const TOMBSTONE_RESIDUE = 1

/** A version that was replaced: the token of the put that wrote it, and the ETag that it had. */
export type Replaced = readonly [token: string, etag: string]

/** What the object of a document says beside the value. */
export interface DocumentHeader {
  /** Random, one per put: by it a writer knows its own, and no two bodies are equal, so no ETag ever returns. */
  readonly token: string
  /** The puts that created it, each but the first after a remove; oldest first. */
  readonly born: readonly string[]
  /** Oldest first. */
  readonly replaced: readonly Replaced[]
  /** False for a tombstone. */
  readonly live: boolean
}

export interface StoredHeader extends DocumentHeader {
  readonly etag: string
  /** Bytes of the object. */
  readonly size: number
}

export interface StoredDocument {
  readonly header: StoredHeader
  /** Undefined for a tombstone. */
  readonly value: string | undefined
}

/** The header of what replaces `base`, or of a new document. */
export function successor(base: StoredHeader | undefined, token: string, live: boolean): DocumentHeader {
  const born = base?.born ?? []
  return {
    token,
    born: live && !base?.live ? [...born, token].slice(-REMEMBERED) : born,
    replaced: base ? [...base.replaced, [base.token, base.etag] as const].slice(-REMEMBERED) : [],
    live,
  }
}

export function encodeDocument({ token, born, replaced, live }: DocumentHeader, value: string | undefined): Uint8Array {
  return encodeBody({ token, born, replaced }, value === undefined ? [] : [encodeText(value)], {
    residue: live ? LIVE_RESIDUE : TOMBSTONE_RESIDUE,
    least: 0,
  })
}

/** Undefined if the body is damaged. */
export function decodeDocument(body: Uint8Array, etag: string): StoredDocument | undefined {
  const decoded = decodeBody(body)
  if (!decoded || decoded.texts.length > 1) return undefined
  const { token, born, replaced } = decoded.header
  if (typeof token !== 'string' || !isTexts(born) || !Array.isArray(replaced)) return undefined
  if (!replaced.every((pair): pair is Replaced => isTexts(pair) && pair.length === 2)) return undefined
  const [text] = decoded.texts
  return {
    header: { token, born, replaced, live: text !== undefined, etag, size: body.length },
    value: text && decodeText(text),
  }
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** Whether a listed object is a tombstone. Any other size may be a document, even a damaged one. */
export const isTombstoneSize = (size: number): boolean => size % RESIDUES === TOMBSTONE_RESIDUE

/** What an object found at a document's key says about a put whose outcome is not known. */
export type Verdict =
  /** It took effect, and made this version. */
  | { readonly kind: 'mine'; readonly version: string }
  /** Another put took its place: it never will take effect. */
  | { readonly kind: 'lost' }
  /** A create met a tombstone: it never will take effect, but another may replace that. */
  | { readonly kind: 'tombstone' }
  | { readonly kind: 'unknown' }

/**
 * Decides whether a put of `token` took effect. It replaced `target`, or created the document if there is none.
 *
 * A version has exactly one successor, so if `target` is among the replaced and `token` is not, another put was that. And a document
 * that does not name `token` among its creates was not created by it.
 */
export function verdict(found: StoredHeader, token: string, target: StoredHeader | undefined): Verdict {
  if (found.token === token) return { kind: 'mine', version: found.etag }
  const own = found.replaced.find(([one]) => one === token)
  if (own) return { kind: 'mine', version: own[1] }
  if (target) return { kind: found.replaced.some(([, etag]) => etag === target.etag) ? 'lost' : 'unknown' }
  if (found.born.includes(token) || found.born.length >= REMEMBERED) return { kind: 'unknown' }
  return { kind: found.live ? 'lost' : 'tombstone' }
}
