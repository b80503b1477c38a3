import { canonicalJson } from './canonical.ts'
import { checkLabel } from './check-label.ts'
import type { JsonObject } from './entry.ts'
import { checkTitle, copyMetadata } from './session-fields.ts'
import type { SessionDocument } from './session-document.ts'
import type { Signal } from './runtime.ts'
import { titleStateOf } from './title.ts'

/** What `session.update` changes; what is left out stays. */
export interface SessionPatch {
  /** A new title of at most {@link MAX_TITLE_LENGTH} characters; null takes it away. */
  readonly title?: string | null | undefined
  /** Keys to set; null removes a key. A value replaces the one before it as a whole, also where both are objects. */
  readonly metadata?: JsonObject | undefined
  /** Whether lists leave it out unless they are asked for it. */
  readonly archived?: boolean | undefined
  /** Words to find it by in lists: all of them, or what to add and what to remove. At most {@link MAX_LABELS}, of 1–256 characters each. */
  readonly labels?: readonly string[] | LabelPatch | undefined
}

/** Labels to add and to remove; the others stay. */
export interface LabelPatch {
  readonly add?: readonly string[] | undefined
  readonly remove?: readonly string[] | undefined
}

/** Options of `session.update`. */
export interface UpdateOptions {
  readonly signal?: Signal | undefined
}

/** A session whose document can be changed. */
export interface ChangeableSession {
  readonly change: (
    change: (current: SessionDocument) => SessionDocument | undefined,
    signal: Signal | undefined,
  ) => Promise<{ readonly document: SessionDocument }>
}

/** The most labels that a session has. */
export const MAX_LABELS: number = 100

/**
 * Changes title, metadata, labels and archive flag of a live session; resolves with its document.
 *
 * Contract
 * - A bad title or label, or metadata that JSON cannot keep, is a `TypeError` before anything is read; so are too many labels, and a document of more
 *   than 1 MiB, before anything is written.
 * - Patches of several writers all take effect, each once; of two for the same key the later one counts. One that changes nothing writes nothing.
 * - Fields that this version does not know stay. The patch may be changed as soon as the call has returned its promise.
 */
export async function updateSession(
  { change }: ChangeableSession,
  patch: SessionPatch,
  { signal }: UpdateOptions = {},
): Promise<SessionDocument> {
  const copy = checkPatch(patch)
  return (await change((current) => patchSession(current, copy), signal)).document
}

/** A patch that was checked and copied. */
interface CheckedPatch {
  readonly title: string | null | undefined
  readonly metadata: JsonObject
  readonly archived: boolean | undefined
  readonly labels: (current: readonly string[]) => readonly string[]
}

/** The document with a checked patch, or undefined if that is what it holds already. */
function patchSession(document: SessionDocument, patch: CheckedPatch): SessionDocument | undefined {
  // Entries and fromEntries: an own `__proto__` stays a key.
  const members = new Map(Object.entries(document.metadata ?? {}))
  for (const [key, member] of Object.entries(patch.metadata)) {
    if (member === null) members.delete(key)
    else members.set(key, member)
  }
  const { metadata: old, archived: was, labels: before, ...rest } = patchTitle(document, patch.title)
  const archived = patch.archived ?? was === true
  const labels = patch.labels(labelsOf(document))
  if (labels.length > MAX_LABELS) throw new TypeError(`labels: a session has at most ${MAX_LABELS}`)
  const patched = {
    ...rest,
    ...(archived ? { archived } : {}),
    ...(labels.length === 0 && before === undefined ? {} : { labels }),
    ...(members.size === 0 && old === undefined ? {} : { metadata: Object.fromEntries(members) }),
  } as SessionDocument
  return canonicalJson(patched) === canonicalJson(document) ? undefined : patched
}

/** A title that somebody gives ends what is said about one that was made, and about the making. */
function patchTitle(document: SessionDocument, title: string | null | undefined): SessionDocument {
  if (title === undefined || title === (document.title ?? null)) return document
  const { title: _title, titleState, ...rest } = document
  const { generation } = titleStateOf({ titleState })
  return {
    ...rest,
    ...(title === null ? {} : { title }),
    // A late answer must not bring back what was taken away.
    ...(generation === undefined ? {} : { titleState: { generation: generation + 1 } }),
  }
}

/** The labels of a session, in the order of their adding. */
export function labelsOf({ labels }: Pick<SessionDocument, 'labels'>): readonly string[] {
  return Array.isArray(labels) ? labels.filter((label): label is string => typeof label === 'string') : []
}

function checkPatch(patch: SessionPatch): CheckedPatch {
  if (typeof patch !== 'object' || patch === null)
    throw new TypeError('update: expected an object with title, metadata, archived or labels')
  const { title, metadata, archived, labels, ...unknown } = patch
  const [field] = Object.keys(unknown)
  if (field !== undefined) {
    throw new TypeError(`update: ${JSON.stringify(field)} cannot be changed; title, metadata, archived and labels can`)
  }
  if (title !== undefined && title !== null) checkTitle(title)
  if (archived !== undefined && typeof archived !== 'boolean') throw new TypeError('archived: expected true or false')
  return {
    title,
    metadata: metadata === undefined ? {} : copyMetadata(metadata),
    archived,
    labels: checkLabels(labels),
  }
}

function checkLabels(labels: SessionPatch['labels']): CheckedPatch['labels'] {
  if (labels === undefined) return (current) => current
  if (Array.isArray(labels)) {
    const all = copyLabels(labels, 'labels')
    return () => all
  }
  if (typeof labels !== 'object' || labels === null)
    throw new TypeError('labels: expected an array, or { add, remove }')
  const { add = [], remove = [] } = labels as LabelPatch
  const [added, removed] = [copyLabels(add, 'labels.add'), new Set(copyLabels(remove, 'labels.remove'))]
  return (current) => [...new Set([...current.filter((label) => !removed.has(label)), ...added])]
}

function copyLabels(labels: unknown, name: string): readonly string[] {
  if (!Array.isArray(labels)) throw new TypeError(`${name}: expected an array of labels`)
  for (const label of labels) checkLabel(label, name)
  return [...new Set(labels as readonly string[])]
}
