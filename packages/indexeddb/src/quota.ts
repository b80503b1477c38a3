import { SessionError, type SessionErrorOptions } from '@sessiontree/core'
import { nameOf } from './failures.ts'

/** How much a site stores, and how much it may store, in bytes; undefined where the browser does not tell. */
export interface StorageSpace {
  readonly usage: number | undefined
  readonly quota: number | undefined
}

/** No space is left for this site; nothing of the call was written. */
export class QuotaError extends SessionError implements StorageSpace {
  /** How many bytes this site stored when it happened, as {@link estimate} tells. */
  readonly usage: number | undefined
  /** How many it may store. */
  readonly quota: number | undefined

  constructor(message: string, options: SessionErrorOptions & Partial<StorageSpace> = {}) {
    super('QUOTA', message, options)
    this.name = 'QuotaError'
    this.usage = options.usage
    this.quota = options.quota
  }
}

/** Resolves with how much this site stores and how much it may store, in all its databases, caches and files; an estimate of the browser. */
export async function estimate(): Promise<StorageSpace> {
  const { usage, quota } = (await ask((storage) => storage.estimate())) ?? {}
  return { usage, quota }
}

/**
 * Asks the browser to keep what this site stores when space gets short; resolves with whether it will. In windows only; a browser may ask the
 * user, or decide by itself, and say yes to a later call.
 *
 * Contract
 * - Never rejects: false where the browser cannot be asked.
 */
export async function persist(): Promise<boolean> {
  return (await ask((storage) => storage.persist())) ?? false
}

/** Resolves with whether the browser keeps what this site stores when space gets short. */
export async function persisted(): Promise<boolean> {
  return (await ask((storage) => storage.persisted())) ?? false
}

/** Whether this is the browser's refusal for want of space. */
export function isOutOfSpace(error: unknown): boolean {
  return nameOf(error) === 'QuotaExceededError'
}

/** The refusal of a database, with the figures of the moment. */
export async function quotaError(database: string, cause: unknown): Promise<QuotaError> {
  const space = await estimate()
  const { usage, quota } = space
  // An estimate it is: Chromium hides how large the disk is.
  const figures = quota === undefined ? '' : ` (the browser's estimate: ${usage} of ${quota} bytes used)`
  const advice = 'delete sessions, or ask for persistent storage.'
  return new QuotaError(`IndexedDB ${JSON.stringify(database)}: no space is left for this site${figures}; ${advice}`, {
    ...space,
    cause,
  })
}

// Absent in insecure contexts, partly absent in workers, and a browser may refuse to say.
async function ask<Answer>(question: (storage: StorageManager) => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await question(navigator.storage)
  } catch {
    return undefined
  }
}
