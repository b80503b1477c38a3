import { readDocument } from '../document.ts'
import type { Environment } from '../environment.ts'
import { isBaseLog, type ScopeNames } from '../names.ts'
import type { Signal } from '../runtime.ts'
import {
  changeSession,
  parseSessionDocument,
  readSessionDocument,
  type SessionDocument,
  type SessionReference,
} from '../session-document.ts'
import { ancestorsOf } from './lineage.ts'

/**
 * Lets a fork go on in the logs that its ancestors have by now, where those were repaired: every record kept its index. Resolves with whether that
 * changed anything.
 */
export async function followRepaired(
  environment: Environment,
  names: ScopeNames,
  session: SessionReference,
  { signal }: { readonly signal?: Signal | undefined },
): Promise<boolean> {
  const { adapter } = environment
  const { document } = await readSessionDocument(adapter, session.key, session.id, signal)
  const logs = new Map<string, string>()
  for (const ancestor of ancestorsOf(document.lineage, document.id)) {
    const found = await readDocument(adapter, names.session(ancestor), parseSessionDocument, signal)
    // One that is being deleted sees to its forks itself.
    if (found?.document.state === 'live') logs.set(ancestor, names.log(ancestor, found.document.incarnation))
  }
  const move = (current: SessionDocument) => {
    const { id, lineage = [] } = current
    const moved = lineage.map((segment) => {
      const log = segment.session === id || isBaseLog(segment.log) ? undefined : logs.get(segment.session)
      return log !== undefined && numberOf(log) > numberOf(segment.log) ? { ...segment, log } : segment
    })
    return moved.some((segment, i) => segment !== lineage[i]) ? { ...current, lineage: moved } : undefined
  }
  const { changed } = await changeSession(environment, session, move, { signal })
  return changed
}

const numberOf = (log: string) => Number(log.slice(log.lastIndexOf('/') + 1))
