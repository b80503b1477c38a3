import type { FollowOptions, RoleMessage } from '@sessiontree/core'
import { brokenSession, type BrokenCore } from './broken-core.ts'

/** Cores that break what programs keep beside a conversation. */
export const brokenLiveCores: readonly BrokenCore[] = [
  brokenSession('session/label', 'a label drags the leaf along', (session) => ({
    async label(entry: string, text: string | null) {
      const label = await session.label(entry, text)
      await session.moveTo(entry)
      return label
    },
  })),
  brokenSession('session/label', 'a label is an entry like any other', (session) => ({
    label: (target: string, label: string | null) => session.record({ type: 'label', target, label }),
  })),
  brokenSession('session/save', 'a whole conversation is appended each time', (session) => ({
    async save(messages: readonly RoleMessage[]) {
      return { appended: await session.append(messages), kept: 0 }
    },
  })),
  brokenSession('session/save', 'a conversation that differs is appended behind the old one', (session) => ({
    async save(messages: readonly RoleMessage[]) {
      const { messages: known } = await session.context()
      const isNew = (message: RoleMessage) => !known.some(({ content }) => content === message['content'])
      const kept = messages.length - messages.filter(isNew).length
      return { appended: await session.append(messages.filter(isNew)), kept }
    },
  })),
  brokenSession('session/follow', 'who goes on behind an entry is given it again', (session) => ({
    async *follow(options: FollowOptions = {}) {
      if (typeof options.after === 'string') yield session.entry(options.after)
      yield* session.follow(options)
    },
  })),
  brokenSession('session/follow', 'of a batch the first entry alone is seen', (session) => ({
    async *follow(options: FollowOptions) {
      for await (const entry of session.follow(options)) if (entry.id !== 'e') yield entry
    },
  })),
  brokenSession('session/follow', 'only the path is followed', (session) => ({
    async *follow(options: FollowOptions) {
      for await (const entry of session.follow(options)) if (entry.id !== 'b') yield entry
    },
  })),
]
