import { recordDigest, ROOT_DIGEST, SessionError } from '@sessiontree/core'
import type { LedgerEntry } from './entry.ts'

/** The head of a ledger without receipts. */
export const GENESIS: string = ROOT_DIGEST

/** Whether the receipts of a ledger hang together. */
export interface ReceiptChain {
  /** The digest that commits to all receipts so far. */
  readonly head: string
  /** The first receipt that does not follow from those before it. */
  readonly broken: LedgerEntry | undefined
}

/** The head behind a receipt: core's digest over the head before it, its id, its time and what it is a receipt of. */
export function nextHead(head: string, { id, recorded_at, digest }: LedgerEntry): string {
  return recordDigest({ parentDigest: head, id, createdAt: recorded_at, hash: String(digest) })
}

/** Follows the receipts of a ledger: each says in `ledger_head` which head it makes. */
export function receiptChain(entries: readonly LedgerEntry[]): ReceiptChain {
  let head = GENESIS
  for (const entry of entries) {
    if (entry.type !== 'receipt') continue
    const next = nextHead(head, entry)
    if (!isDigest(entry['digest']) || entry['ledger_head'] !== next) return { head, broken: entry }
    head = next
  }
  return { head, broken: undefined }
}

/** Fills in the head that a new receipt makes, or checks the one that it names. */
export function sealReceipt(head: string, entry: LedgerEntry): LedgerEntry {
  if (!isDigest(entry['digest'])) throw new TypeError('digest: expected 64 lower-case hex digits')
  const next = nextHead(head, entry)
  if (entry['ledger_head'] !== undefined && entry['ledger_head'] !== next) {
    throw new SessionError(
      'CONFLICT',
      `Receipt ${JSON.stringify(entry.id)} names a head that does not follow from the ledger; nothing was written. Load it again, or leave ledger_head out.`,
    )
  }
  return { ...entry, ledger_head: next }
}

const isDigest = (value: unknown) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
