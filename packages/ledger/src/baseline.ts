import { byUtf8 } from './by-utf8.ts'
import { WORKSPACE_BASELINE, type LedgerEntry } from './entry.ts'
import type { Ledger } from './ledger.ts'

/** One file of a workspace that differed when it was looked at. */
export interface BaselineFile {
  /** As git says it; `changed` where it said nothing. */
  readonly status: string
  readonly fingerprint: string
  readonly path: string
}

/** What became of a file between two looks. */
export interface BaselineChange {
  readonly path: string
  readonly kind: 'added' | 'changed' | 'removed'
}

/** The first baseline of a ledger, undefined if there is none. Later ones never move it. */
export function firstBaseline(ledger: Pick<Ledger, 'entries'>): LedgerEntry | undefined {
  return ledger.entries.find(({ type }) => type === WORKSPACE_BASELINE)
}

/** The lines of a baseline: without blank ones and without the CR that may end one; spaces stay, also around a line. */
export function baselineLines({ output = '' }: { readonly output?: string | undefined }): readonly string[] {
  return output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

/** Takes a line apart: two characters of status, a fingerprint, and the path, which may hold spaces. */
export function parseBaselineLine(line: string): BaselineFile {
  const status = line.slice(0, 2).trim() || 'changed'
  const [, fingerprint = '', path = ''] = /^\s*(\S*)(?:\s([^]*))?$/.exec(line.slice(2)) ?? []
  return { status, fingerprint, path }
}

/** What differs between two baselines, by path: sorted by path, then kind. */
export function diffBaselines(before: readonly string[], after: readonly string[]): readonly BaselineChange[] {
  const [old, now] = [byPath(before), byPath(after)]
  const changes: BaselineChange[] = []
  for (const [path, line] of now) {
    const known = old.get(path)
    if (known === undefined) changes.push({ path, kind: 'added' })
    else if (known !== line) changes.push({ path, kind: 'changed' })
  }
  for (const path of old.keys()) if (!now.has(path)) changes.push({ path, kind: 'removed' })
  return changes.toSorted((a, b) => byUtf8(a.path, b.path) || byUtf8(a.kind, b.kind))
}

const byPath = (lines: readonly string[]) => new Map(lines.map((line) => [parseBaselineLine(line).path, line]))
