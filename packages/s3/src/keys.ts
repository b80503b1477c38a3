import { MAX_INDEX } from '@sessiontree/core'

/**
 * The keys of a store. `!` sorts below every character of a name and is none of them, so objects stand in the order of their names,
 * and `a`, `a-b`, `a.b` and `a/b` stay apart, also where a store cannot keep `a` beside `a/b`.
 */
export interface Keys {
  /** Everything of one log starts with this. */
  log(name: string): string
  /** The object whose own records begin at index `at`: the later, the smaller, since LIST only goes up. */
  slot(name: string, at: number): string
  /** Sorts before every slot: with it, the log is dropped. */
  marker(name: string): string
  document(key: string): string
  /** Where names of logs begin, and those of documents. */
  readonly logs: string
  readonly documents: string
  /** The object that tells that the store honours conditions. */
  readonly proof: string
}

const INDEX = /^[0-9a-f]{12}$/
// Nothing that a URL, XML or a proxy would have to rewrite.
const PREFIX = /^(?:[A-Za-z0-9_~!'()*=.-]+\/)*$/
const MAX_PREFIX_LENGTH = 400

export function storeKeys(prefix: string): Keys {
  if (
    typeof prefix !== 'string' ||
    prefix.length > MAX_PREFIX_LENGTH ||
    !PREFIX.test(prefix) ||
    /(^|\/)\.+\//.test(prefix)
  ) {
    throw new TypeError(
      `prefix: expected "" or segments of A-Z a-z 0-9 _ ~ ! ' ( ) * = . - that each end in "/", at most ${MAX_PREFIX_LENGTH} characters`,
    )
  }
  const logs = `${prefix}log/`
  const documents = `${prefix}doc/`
  const log = (name: string) => `${logs}${name}!/`
  return {
    log,
    slot: (name, at) => log(name) + (MAX_INDEX - at).toString(16).padStart(12, '0'),
    marker: (name) => `${log(name)}!`,
    document: (key) => `${documents}${key}!`,
    logs,
    documents,
    proof: `${prefix}sessiontree.json`,
  }
}

/** The index that a slot's key stands for, or undefined if `last`, what follows the log's own prefix, is no slot. */
export function indexOfSlot(last: string): number | undefined {
  return INDEX.test(last) ? MAX_INDEX - Number.parseInt(last, 16) : undefined
}
