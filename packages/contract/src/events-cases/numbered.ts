import type { NewEvent, SessionEvent } from '@sessiontree/events'

/** An event that is not blank anywhere. */
export function plain<Content = unknown>(fields: Partial<NewEvent<Content>> = {}): NewEvent<Content> {
  return { turnId: 't1', type: 'message', agentName: 'coder', content: 'hello' as Content, ...fields }
}

/** Events with the contents 0, 1, 2 … */
export function numbered(count: number, fields: Partial<NewEvent> = {}): readonly NewEvent[] {
  return Array.from({ length: count }, (_, content) => plain({ ...fields, content }))
}

export const sequences = (events: readonly SessionEvent[]): readonly number[] => events.map(({ sequence }) => sequence)
