import { readDocument } from '../document.ts'
import type { Environment } from '../environment.ts'
import type { ScopeNames } from '../names.ts'
import type { Signal } from '../runtime.ts'
import { changeSession, parseSessionDocument, type SessionDocument } from '../session-document.ts'

/** A log of a session. */
interface OwnedLog {
  /** The session's id. */
  readonly id: string
  readonly log: string
}

/**
 * Whether a fork reads this earlier log of a live session, or may come to.
 *
 * Once the session has gone to another log, only forks that took over a lineage can come to name this one, from a fork that named it and after they put their
 * references: hence again, until there is none that was not looked at.
 */
export async function isShared(
  environment: Environment,
  names: ScopeNames,
  { id, log }: OwnedLog,
  { signal }: { readonly signal?: Signal | undefined },
): Promise<boolean> {
  const { adapter } = environment
  const seen = new Set<string>()
  for (let before = -1; before < seen.size;) {
    before = seen.size
    for await (const page of adapter.keys(names.references(id), { signal })) {
      for (const reference of page) {
        if (seen.has(reference)) continue
        seen.add(reference)
        if (await mayRead(environment, names.referring(reference), log, signal)) return true
      }
    }
  }
  return false
}

async function mayRead(
  environment: Environment,
  key: string,
  log: string,
  signal: Signal | undefined,
): Promise<boolean> {
  const found = await readDocument(environment.adapter, key, parseSessionDocument, signal)
  if (found?.document.state === 'tombstone') return false
  if (found?.document.state !== 'live' || namesLog(found.document, log)) return true
  // Written again: that it can be read does not mean that it lasts.
  const { document } = await changeSession(environment, { key, id: found.document.id }, (current) => current, {
    signal,
  })
  return namesLog(document, log)
}

/**
 * Whether a copy below a live session, which a deletion of one of its ancestors makes or made, will never be read: nothing names it, and
 * that deletion is not under way.
 */
export async function isForgottenBase(
  environment: Environment,
  names: ScopeNames,
  { key, id, log }: OwnedLog & { readonly key: string },
  { signal }: { readonly signal?: Signal | undefined },
): Promise<boolean> {
  const { document } = await changeSession(environment, { key, id }, (current) => current, { signal })
  if (namesLog(document, log)) return false
  for (const { session, segment } of document.lineage ?? []) {
    const found = await readDocument(environment.adapter, names.session(session), parseSessionDocument, signal)
    const { state, deleteId } = found?.document ?? {}
    if (state === 'deleting' && log === names.base(id, deleteId ?? '', segment)) return false
  }
  return true
}

function namesLog({ lineage = [] }: SessionDocument, log: string): boolean {
  return lineage.some((segment) => segment.log === log)
}
