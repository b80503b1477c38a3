import { SessionError } from '@sessiontree/core'
import type { NewEvent, SessionEvent } from './event.ts'
import { EventReader } from './event-reader.ts'
import type { HookRun, NewHookRun } from './hook-run.ts'
import type { NewTokenUsage } from './token-usage.ts'

/** The events of one session, opened for reading only. Made by `openEventsReadOnly`. */
export class ReadOnlyEvents<Content = unknown> extends EventReader<Content> {
  /** Rejects with `READ_ONLY`. */
  record(_event: NewEvent<Content>): Promise<void> {
    return refuse('record events')
  }

  /** Rejects with `READ_ONLY`. */
  recordPersisted(_event: NewEvent<Content>): Promise<SessionEvent<Content>> {
    return refuse('record events')
  }

  /** Rejects with `READ_ONLY`. */
  recordTokenUsage(_usage: NewTokenUsage): Promise<void> {
    return refuse('record token usage')
  }

  /** Rejects with `READ_ONLY`. */
  recordHookRun(_run: NewHookRun): Promise<HookRun> {
    return refuse('record hook runs')
  }

  /** Rejects with `READ_ONLY`. */
  clear(): Promise<void> {
    return refuse('be cleared')
  }
}

async function refuse(what: string): Promise<never> {
  throw new SessionError(
    'READ_ONLY',
    `These events were opened for reading: they cannot ${what}; open them with openEvents().`,
  )
}
