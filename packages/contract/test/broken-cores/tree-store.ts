import { SessionError, type AppendOptions, type CreateOptions } from '@sessiontree/core'
import { collect } from '../../src/reading.ts'
import { brokenCalls, brokenSession, brokenSessions, type BrokenCore } from './broken-core.ts'
import { append, asFailure, type Messages } from './session.ts'

/** Cores that break a line about crashes, damage, sizes and versions. */
export const brokenStoreLines: readonly BrokenCore[] = [
  brokenCalls('tree:29', 'what is stored is called a failure', (adapter) => ({
    append: (...args) => adapter.append(...args).catch(asFailure),
  })),
  brokenSession('tree:30', 'a leaf that cannot be read is an empty path', (session) => ({
    async *path() {
      yield* await collect(session.path()).catch(() => [])
    },
  })),
  brokenSession('tree:30', 'a repair leaves the leaf where nobody can read it', () => ({
    repair: async () => ({ repaired: true, records: 0, lost: [], lostEnd: false }),
  })),
  brokenSession('tree:31', 'damage ends the entries as if there were no more', (session) => ({
    async *entries() {
      try {
        yield* session.entries()
      } catch (error) {
        if (!SessionError.is(error, 'CORRUPT')) throw error
      }
    },
  })),
  brokenSession('tree:31', 'damage is reported without its place', (session) => ({
    async *entries() {
      try {
        yield* session.entries()
      } catch {
        throw new SessionError('CORRUPT', 'Damaged.')
      }
    },
  })),
  brokenSessions('tree:31', 'a damaged session is hidden, and its id is free', (sessions) => ({
    async create(id: string, options: CreateOptions) {
      const session = await sessions.open(id).catch(() => sessions.create(id, options))
      await collect(session.entries()).catch(() => {})
      return session
    },
  })),
  brokenSession('tree:31/torn', 'an append resolves before it is stored', (session) => ({
    async append(messages: Messages, options?: AppendOptions) {
      setTimeout(() => void append(session, messages, { ...options, onConflict: 'rebase' }).catch(() => {}))
      return { id: options?.id }
    },
  })),
  brokenSessions('tree:32/ids', 'white space around ids is cut off', (sessions) => ({
    create: (id: string, options: CreateOptions) => sessions.create(id.trim() || id, options),
    open: (id: string) => sessions.open(id.trim() || id),
  })),
  brokenSession('tree:32', 'texts are cut after a million characters', (session) => ({
    append(messages: Messages, options?: AppendOptions) {
      const { content, ...rest } = messages as { role: string; content: string }
      return append(session, { ...rest, content: content.slice(0, 1_000_000) }, options)
    },
  })),
  brokenCalls('tree:37', 'a newer format is read as if it were known', (adapter) => ({
    async get(key, options) {
      const document = await adapter.get(key, options)
      return document && { ...document, value: document.value.replace('"format":2', '"format":1') }
    },
  })),
  brokenCalls('tree:37', 'messages of any format are taken for our own', (adapter) => ({
    async get(key, options) {
      const document = await adapter.get(key, options)
      return document && { ...document, value: document.value.replace('of another library', 'role-content') }
    },
  })),
]
