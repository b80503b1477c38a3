import type { JsonObject } from './entry.ts'
import { hasFields } from './formats/content-parts.ts'
import type { SessionStatus } from './lifecycle.ts'

/** The longest title made by {@link normalizeTitle}, in code points. */
const TITLE_LENGTH = 16

/** What a session's document says about its title. */
export interface TitleState {
  /** Absent or empty: none yet. */
  readonly title?: string
  readonly status?: 'ready' | 'failed'
  /** Who gave it: a host's title is never overwritten. */
  readonly source?: 'provider' | 'host' | 'fallback'
  /** UTC, ISO 8601. */
  readonly updatedAt?: string
  readonly error?: string
  /** Counts the attempts: a late answer to an older one is not taken. */
  readonly generation?: number
}

/** What became of an attempt to make a title: a text, or why there is none. */
export type TitleOutcome =
  | { readonly text: string; readonly source?: 'provider' | 'host' | 'fallback' }
  | { readonly error: string }

/**
 * Makes a title of a text; empty if nothing of it can be one.
 *
 * Contract
 * - White space collapses, punctuation and symbols at the ends go.
 * - Longer than 16 code points: cut at the last space in the second half of them, else after 8. Never half a character.
 */
export function normalizeTitle(text: string): string {
  const clean = trimEdges(text.replace(/\s+/gu, ' '))
  const points = Array.from(clean)
  if (points.length <= TITLE_LENGTH) return clean
  const half = TITLE_LENGTH / 2
  const space = points.slice(0, TITLE_LENGTH + 1).lastIndexOf(' ')
  return trimEdges(points.slice(0, space >= half ? space : half).join(''))
}

const trimEdges = (text: string) => text.replace(/^[\s\p{P}\p{S}]+/u, '').replace(/[\s\p{P}\p{S}]+$/u, '')

/** Whether a title is to be made now: after a turn that completed or waits, while there is none. */
export function needsTitle(state: TitleState, status: SessionStatus): boolean {
  return !state.title && (status === 'completed' || status === 'waiting')
}

/** The state with one more attempt under way; its `generation` goes into {@link titleFrom}. */
export function beginTitle(state: TitleState): TitleState & { readonly generation: number } {
  return { ...state, generation: (state.generation ?? 0) + 1 }
}

/**
 * The state after an attempt to make a title; undefined if it changes nothing: there is a title meanwhile, or a later attempt.
 *
 * Contract
 * - A text that leaves nothing after {@link normalizeTitle}, as an error does, makes the attempt fail: no title, and it can be tried again.
 * - Never throws for what a provider said: a title that failed does not fail its turn.
 */
export function titleFrom(
  state: TitleState,
  attempt: { readonly generation: number; readonly outcome: TitleOutcome; readonly now: string },
): TitleState | undefined {
  const { generation, outcome, now } = attempt
  if (state.title || (state.generation ?? 0) !== generation) return undefined
  const title = 'text' in outcome ? normalizeTitle(outcome.text) : ''
  if (title === '') {
    const error = 'error' in outcome ? outcome.error : 'nothing of the text can be a title'
    return { status: 'failed', updatedAt: now, error, generation }
  }
  const source = ('text' in outcome && outcome.source) || 'provider'
  return { title, status: 'ready', source, updatedAt: now, generation }
}

/** What a session's document says about its title, read with care. */
export function titleStateOf(document: { readonly title?: unknown; readonly titleState?: unknown }): TitleState {
  const { title, titleState } = document
  const { status, source, updatedAt, error, generation } = hasFields(titleState) ? titleState : ({} as JsonObject)
  return {
    ...(typeof title === 'string' ? { title } : {}),
    ...(status === 'ready' || status === 'failed' ? { status } : {}),
    ...(source === 'provider' || source === 'host' || source === 'fallback' ? { source } : {}),
    ...(typeof updatedAt === 'string' ? { updatedAt } : {}),
    ...(typeof error === 'string' ? { error } : {}),
    ...(typeof generation === 'number' ? { generation } : {}),
  }
}

/** The fields of a document that say this about its title. */
export function titleFields({ title, ...state }: TitleState): {
  readonly title?: string
  readonly titleState: JsonObject
} {
  return { ...(title ? { title } : {}), titleState: state }
}
