import { SessionError, type AppendOptions, type RoleMessage } from '@sessiontree/core'
import { brokenSession, brokenSessions, type BrokenCore } from './broken-core.ts'
import { append, type Messages } from './session.ts'

let made = 0

/** Cores that break a line about creating and appending. */
export const brokenAppendLines: readonly BrokenCore[] = [
  brokenSessions('tree:1', 'ids are counted anew by each handle', (sessions) => {
    let count = 0
    return { create: (id: string | undefined, options: object) => sessions.create(id ?? `thread-${++count}`, options) }
  }),
  brokenSessions('tree:1', 'create with a used id changes what is there', (sessions) => ({
    create: (id: string | undefined, options: object) =>
      sessions.create(id, options).catch(async (error: unknown) => {
        await (await sessions.open(String(id))).update(options)
        throw error
      }),
  })),
  brokenSessions('tree:1', 'create with a used id opens it', (sessions) => ({
    create: (id: string | undefined, options: object) =>
      id === undefined ? sessions.create() : sessions.getOrCreate(id, options),
  })),
  brokenSessions('tree:2', 'a session begins with an entry of its own', (sessions) => ({
    async create(id: string, options: object) {
      const session = await sessions.create(id, options)
      await session.record({ type: 'thread_info' })
      return session
    },
  })),
  brokenSession('tree:3', 'the time given is not kept', (session) => ({
    append: (messages: Messages, { createdAt: _createdAt, ...options }: AppendOptions = {}) =>
      append(session, messages, options),
  })),
  brokenSession('tree:3', 'a session is updated when somebody looks', (session) => ({
    touch: () => session.update({ metadata: { touched: true } }),
  })),
  brokenSession('tree:3', 'every entry is a root', (session) => ({
    append: (messages: Messages, options?: AppendOptions) => append(session, messages, { parent: null, ...options }),
  })),
  brokenSession('tree:4', 'an entry with a parent leaves the leaf where it was', (session) => ({
    async append(messages: Messages, options?: AppendOptions) {
      const leaf = await session.leaf()
      const stored = await append(session, messages, options)
      if (options?.parent !== undefined) await session.moveTo(leaf ?? null)
      return stored
    },
  })),
  brokenSession('tree:4', 'a parent named in the message counts', (session) => ({
    append: (messages: Messages, options?: AppendOptions) =>
      append(
        session,
        messages,
        'parentId' in messages ? { ...options, parent: String(messages['parentId']) } : options,
      ),
  })),
  brokenSession('tree:5', 'a parent that is not there is taken for the leaf', (session) => ({
    append: (messages: Messages, options: AppendOptions = {}) =>
      append(session, messages, options).catch(() => append(session, messages, { ...options, parent: undefined })),
  })),
  brokenSession('tree:5', 'an entry is stored before its parent is looked for', (session) => ({
    async append(messages: Messages, options: AppendOptions = {}) {
      const stored = await append(session, messages, { ...options, parent: undefined })
      if (options.parent !== undefined && options.parent !== null) await session.entry(options.parent)
      if (options.parent === options.id && options.id !== undefined) throw new SessionError('INVALID_PARENT', 'Itself.')
      return stored
    },
  })),
  brokenSession('tree:6', 'the id of the message counts', (session) => ({
    append: (messages: Messages, options?: AppendOptions) =>
      append(session, messages, 'id' in messages ? { ...options, id: String(messages['id']) } : options),
  })),
  brokenSession('tree:6', 'a known id is not compared', (session) => ({
    append: (messages: Messages, options?: AppendOptions) =>
      append(session, messages, options).catch(() => session.entry(String(options?.id))),
  })),
  brokenSessions('tree:6', 'the ids of entries are counted anew after a reopen', (sessions) => {
    let count = 0
    return {
      async open(id: string) {
        const session = await sessions.open(id)
        return {
          append: async (messages: readonly RoleMessage[]) => {
            const ids = messages.map(() => `entry-${++count}`)
            await append(session, messages)
            return ids.map((one) => ({ id: one }))
          },
        }
      },
    }
  }),
  brokenSession('tree:7', 'the hash depends on the id', (session) => ({
    append: async (messages: Messages, options?: AppendOptions) => {
      const stored = await append(session, messages, options)
      return { ...stored, hash: stored.hash.slice(8) + stored.id.slice(0, 8) }
    },
  })),
  brokenSession('tree:7', 'metadata is not hashed', (session) => ({
    async record(contents: readonly Record<string, unknown>[], options?: AppendOptions) {
      const strip = ({ metadata: _metadata, ...content }: Record<string, unknown>) => content as { type: string }
      if (!Array.isArray(contents)) return session.record(contents as unknown as { type: string }, options)
      return session.record(contents.map(strip), options)
    },
  })),
  brokenSession('tree:8', 'messages are copied a moment later', (session) => ({
    async append(messages: Messages, options?: AppendOptions) {
      await Promise.resolve()
      return append(session, messages, options)
    },
  })),
  brokenSession('tree:8', 'readers share one object', (session) => {
    let shared: { messages: readonly RoleMessage[] } | undefined
    return { context: async () => (shared ??= await session.context()) }
  }),
  brokenSession('tree:33', 'an append that is refused is acknowledged', (session) => ({
    append: (messages: Messages, options?: AppendOptions) =>
      append(session, messages, options).catch(() => ({ id: `lost ${++made}` })),
  })),
  brokenSession('tree:33', 'an append that is refused is stored all the same', (session) => ({
    append: (messages: Messages, options?: AppendOptions) =>
      append(session, messages, options).catch(async (error: unknown) => {
        // Behind those that are refused with it.
        await session.leaf()
        await append(session, messages, { ...options, onConflict: 'rebase' })
        throw error
      }),
  })),
]
