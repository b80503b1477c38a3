import { changeDocument, createDocument, readDocument } from './document.ts'
import type { Environment } from './environment.ts'
import { ConflictError } from './errors.ts'
import { settleMarks } from './forks/settle-marks.ts'
import { blockedDocument } from './forks/release-forks.ts'
import type { ScopeNames } from './names.ts'
import { throwIfAborted, type Signal } from './runtime.ts'
import { parseSessionDocument, type SessionDocument } from './session-document.ts'
import { sideBySide } from './side-by-side.ts'
import { heldError } from './turns/active-turn.ts'
import { holderOf } from './turns/holder.ts'

/** The session that a sub-agent's session belongs to, and the entry that called for it. */
export type SessionParent = {
  readonly session: string
  readonly entry?: string
}

/** What becomes of sub-agent sessions when their owner is deleted. */
export type SubAgents = 'refuse' | 'delete' | 'keep'

/** Throws `CONFLICT` if sub-agent sessions hang on a session. */
export async function assertNoSubAgents(
  environment: Environment,
  names: ScopeNames,
  owner: string,
  signal: Signal | undefined,
): Promise<void> {
  let count = 0
  await eachSubAgent(environment, names, owner, signal, async (key) => {
    const found = await readDocument(environment.adapter, key, parseSessionDocument, signal)
    if (found?.document.state === 'live' && isSubAgent(found.document, owner)) count++
  })
  if (count === 0) return
  throw new ConflictError(
    `Session ${JSON.stringify(owner)} has ${count} sub-agent session(s). Delete them too, delete(id, { subAgents: "delete" }), ` +
      'or let them go on without it, "keep".',
  )
}

/** Throws `ACTIVE_TURN` if a turn holds a sub-agent session of a session, or one of theirs. */
export async function assertIdleSubAgents(
  environment: Environment,
  names: ScopeNames,
  owner: string,
  signal: Signal | undefined,
): Promise<void> {
  await eachSubAgent(environment, names, owner, signal, async (key) => {
    const found = await readDocument(environment.adapter, key, parseSessionDocument, signal)
    if (found?.document.state !== 'live' || !isSubAgent(found.document, owner)) return
    const holder = await holderOf(environment, names, found.document, signal)
    if (holder) throw heldError(found.document.id, holder, false)
    await assertIdleSubAgents(environment, names, found.document.id, signal)
  })
}

/** Deletes the sub-agent sessions of one that is being deleted, and keeps those from coming that are about to. */
export async function deleteSubAgents(
  environment: Environment,
  names: ScopeNames,
  owner: string,
  { signal, remove }: { readonly signal?: Signal | undefined; readonly remove: (id: string) => Promise<void> },
): Promise<void> {
  await settleMarks(environment, names.subAgents(owner), signal, async (mark) => {
    const kept = await keepFromComing(environment, names.referring(mark), signal)
    if (kept && isSubAgent(kept, owner)) await remove(kept.id)
  })
}

/** Lets the sub-agent sessions of one that is being deleted go. */
export async function releaseSubAgents(
  { adapter }: Environment,
  names: ScopeNames,
  owner: string,
  signal: Signal | undefined,
): Promise<void> {
  throwIfAborted(signal)
  await sideBySide(adapter.keys(names.subAgents(owner), { signal }), signal, async (mark) => {
    await adapter.remove(mark, { forget: true })
  })
}

async function eachSubAgent(
  { adapter }: Environment,
  names: ScopeNames,
  owner: string,
  signal: Signal | undefined,
  work: (key: string) => Promise<void>,
): Promise<void> {
  throwIfAborted(signal)
  await sideBySide(adapter.keys(names.subAgents(owner), { signal }), signal, (mark) => work(names.referring(mark)))
}

/** The session's document; if there is none, or one that could give way, nobody can put one without looking at the owner again. */
async function keepFromComing(
  environment: Environment,
  key: string,
  signal: Signal | undefined,
): Promise<SessionDocument | undefined> {
  for (;;) {
    const found = await readDocument(environment.adapter, key, parseSessionDocument, signal)
    if (found && found.document.state !== 'blocked') return found.document
    if (!found && (await createDocument(environment, key, blockedDocument(environment)))) return undefined
    const again = (current: SessionDocument | undefined) => (current?.state === 'blocked' ? current : undefined)
    const { changed } = await changeDocument(environment, key, again, { parse: parseSessionDocument, signal })
    if (changed) return undefined
  }
}

function isSubAgent({ state, parent }: SessionDocument, owner: string): boolean {
  return (state === 'live' || state === 'deleting') && parent?.session === owner
}
