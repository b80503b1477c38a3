import { SessionError } from '@sessiontree/core'
import { ImportError } from './jsonl.ts'

/** Something to tell the user. */
export interface Notice {
  readonly kind: 'info' | 'error'
  readonly text: string
}

/** What to tell the user about an error: what to do, where that is known. */
export function noticeOf(error: unknown): Notice {
  if (error instanceof ImportError) return { kind: 'error', text: error.message }
  if (!SessionError.is(error)) return { kind: 'error', text: error instanceof Error ? error.message : String(error) }
  switch (error.code) {
    case 'ACTIVE_TURN':
      return {
        kind: 'info',
        text: 'Another tab is answering in this session. Wait for it, or branch from an earlier message.',
      }
    case 'LEASE_LOST':
      return { kind: 'info', text: 'Another tab went on with this session; this answer was stopped.' }
    case 'CONFLICT':
      return { kind: 'info', text: 'Another tab was first. The session is shown as it is now; please try again.' }
    case 'BLOCKED':
      return { kind: 'error', text: 'Another tab runs another version of this page. Reload both.' }
    case 'QUOTA':
      return {
        kind: 'error',
        text: 'The browser has no space left for this page. Delete sessions, or free space on the device.',
      }
    case 'DELETED':
    case 'NOT_FOUND':
      return { kind: 'error', text: 'This session is gone.' }
    default:
      return { kind: 'error', text: error.message }
  }
}
