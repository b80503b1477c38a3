import {
  buildContext,
  roleContent,
  SessionError,
  type DeleteOptions,
  type ForkOptions,
  type RoleMessage,
  type Session,
  type Sessions,
} from '@sessiontree/core'
import { collect } from '../../src/reading.ts'
import { brokenCalls, brokenSession, brokenSessions, replaced, type BrokenCore } from './broken-core.ts'
import type { Messages } from './session.ts'

type One = Session<RoleMessage>
type Fork = (session: One, options: ForkOptions, sessions: Sessions<RoleMessage>) => Promise<unknown>

/** Core that forks in another way. */
function brokenFork(killedBy: string, name: string, fork: Fork): BrokenCore {
  return brokenSessions(killedBy, name, (sessions) => {
    const broken = (session: One): One =>
      replaced(session, { fork: (options: ForkOptions = {}) => fork(session, options, sessions) })
    return {
      create: async (...args: Parameters<typeof sessions.create>) => broken(await sessions.create(...args)),
      open: async (...args: Parameters<typeof sessions.open>) => broken(await sessions.open(...args)),
    }
  })
}

/** Cores that break a line about forks, or about what a delete leaves. */
export const brokenForkLines: readonly BrokenCore[] = [
  brokenFork('tree:16', 'a fork goes to the leaf, wherever it was to end', (session, { at: _at, ...options }) =>
    session.fork(options),
  ),
  brokenFork('tree:16', 'the title comes along', async (session, options) => {
    const fork = await session.fork(options)
    await fork.update({ title: session.title })
    return fork
  }),
  brokenFork('tree:16', 'the leaf of the source goes to where it was forked', async (session, options) => {
    const fork = await session.fork(options)
    if (options.at !== undefined) await session.moveTo(options.at)
    return fork
  }),
  brokenFork('tree:16', 'a fork is a copy, made anew', async (session, options, sessions) => {
    const fork = await sessions.create(options.id)
    for (const { id, type, ...entry } of await collect(session.path({ leaf: options.at }))) {
      await fork.record('message' in entry ? { type, message: entry.message } : { type }, { id })
    }
    return fork
  }),
  brokenFork('tree:17', 'before the first entry is nowhere, so that everything is taken', async (session, options) => {
    const { before, ...rest } = options
    const isFirst = before !== undefined && (await session.entry(before)).parentId === null
    return session.fork(isFirst ? rest : options)
  }),
  brokenFork('tree:17', 'the entry before which it ends comes along', (session, { before, ...options }) =>
    session.fork(before === undefined ? options : { ...options, at: before }),
  ),
  brokenFork('tree:17', 'a used id is replaced by another one', (session, options) =>
    session.fork(options).catch(() => session.fork({ ...options, id: undefined })),
  ),
  brokenFork('tree:18', 'a fork is created, and then filled', async (session, options, sessions) => {
    const fork = await sessions.getOrCreate(String(options.id))
    for (const { id } of await collect(session.path({ leaf: options.at }))) {
      await fork.append({ role: 'user', content: id }, { id })
    }
    return fork
  }),
  brokenFork('tree:19', 'what is appended to a fork goes to its source too', async (session, options) => {
    const fork = await session.fork(options)
    return replaced(fork, {
      async append(messages: Messages, given: object) {
        await session.append(messages as RoleMessage, { onConflict: 'rebase' })
        return fork.append(messages as RoleMessage, given)
      },
    })
  }),
  brokenFork('tree:19', 'a fork is its source', async (session, options) => {
    await session.fork(options)
    return session
  }),
  brokenSession('tree:24', 'a fork does not know the compaction of its source', (session) => ({
    async context() {
      if (!session.forkedFrom) return session.context()
      const path = await collect(session.path())
      return buildContext(
        path.filter(({ type }) => type !== 'compaction'),
        roleContent(),
      )
    },
  })),
  brokenCalls('tree:24/deleted', 'a fork that comes before a delete loses what it shares', (adapter) => ({
    async *keys(prefix, options) {
      if (!prefix.startsWith('refs/')) yield* adapter.keys(prefix, options)
    },
  })),
  brokenSessions('tree:15', 'a second delete fails', (sessions) => {
    const deleted = new Set<string>()
    return {
      async delete(id: string, options: DeleteOptions) {
        if (deleted.has(id)) throw new SessionError('NOT_FOUND', 'It is gone.')
        await sessions.delete(id, options)
        deleted.add(id)
      },
    }
  }),
  brokenSessions('tree:15', 'a delete does not ask whether a turn lives', (sessions) => ({
    delete: (id: string) => sessions.delete(id, { force: true }),
  })),
  brokenCalls('tree:15', 'the id of a deleted session is free', (adapter) => ({
    async put(key, value, options) {
      const version = await adapter.put(key, value, options)
      if (value.includes('"tombstone"')) await adapter.remove(key, { expect: version })
      return version
    },
  })),
  brokenCalls('tree:15', 'the document keeps what it said', (adapter) => {
    const said = new Map<string, string>()
    return {
      put(key, value, options) {
        const isGone = value.includes('"tombstone"')
        if (value.includes('"live"')) said.set(key, value)
        const kept = isGone ? JSON.stringify({ ...(JSON.parse(value) as object), was: said.get(key) }) : value
        return adapter.put(key, kept, options)
      },
    }
  }),
]
