import {
  SessionError,
  type AppendOptions,
  type Entry,
  type GenerateTitle,
  type ListSessionsOptions,
  type PathOptions,
  type RoleMessage,
  type Session,
  type SessionPatch,
} from '@sessiontree/core'
import { collect } from '../../src/reading.ts'
import { brokenSession, brokenSessions, type BrokenCore } from './broken-core.ts'
import { append, type Messages } from './session.ts'

/** Opens as ever, then puts the leaf at the newest entry: how a snapshot of the leaf was once "repaired". */
const leafRepaired = (killedBy: string) =>
  brokenSessions(killedBy, 'whoever opens a session moves the leaf to its newest entry', (sessions) => ({
    async open(id: string) {
      const session = await sessions.open(id)
      const newest = (await collect(session.entries())).at(-1)
      if (newest) await session.moveTo(newest)
      return session
    },
  }))

/** Cores that break a line about paths, moves and lists. */
export const brokenPathLines: readonly BrokenCore[] = [
  brokenSession('tree:9', 'entries() shows the path only', (session) => ({ entries: () => session.path() })),
  brokenSession('tree:9', 'a path ends at the leaf, whatever was asked for', (session) => ({
    path: ({ last }: PathOptions = {}) => session.path({ last }),
  })),
  brokenSession('tree:9', 'a path has every entry before its end', (session) => ({
    async *path({ leaf, last = Infinity }: PathOptions = {}) {
      const end = (leaf && (typeof leaf === 'string' ? leaf : leaf.id)) ?? (await session.leaf())?.id
      const all = await collect(session.entries())
      yield* all.slice(0, all.findIndex(({ id }) => id === end) + 1).slice(-last)
    },
  })),
  brokenSession('tree:10', 'a cyclic chain is followed for ever', (session) => ({
    async *path(options: PathOptions = {}) {
      try {
        yield* await collect(session.path(options))
      } catch (error) {
        if (!SessionError.is(error, 'CORRUPT')) throw error
        for (const byId = new Map((await collect(session.entries())).map((entry) => [entry.id, entry])); ;) {
          yield* byId.values()
        }
      }
    },
  })),
  brokenSession('tree:10', 'a broken chain is a short path', (session) => ({
    async *path(options: PathOptions = {}) {
      yield* await collect(session.path(options)).catch((error: unknown) => {
        if (!SessionError.is(error, 'CORRUPT')) throw error
        return []
      })
    },
  })),
  brokenSession('tree:10', 'the path of an unknown leaf is empty', (session) => ({
    async *path(options: PathOptions = {}) {
      yield* await collect(session.path(options)).catch((error: unknown) => {
        if (!SessionError.is(error, 'NOT_FOUND')) throw error
        return []
      })
    },
  })),
  leafRepaired('tree:11'),
  leafRepaired('tree:29'),
  brokenSession('tree:11', 'a move is forgotten when the session is opened again', (session) => {
    let moved: { leaf: Entry<RoleMessage> | undefined } | undefined
    return {
      async moveTo(target: string | Entry | null) {
        moved = { leaf: target === null ? undefined : await session.entry(target) }
      },
      leaf: async () => (moved ? moved.leaf : session.leaf()),
    }
  }),
  brokenSession('tree:11', 'a move before the first entry is no move', (session) => ({
    moveTo: async (target: string | null) => (target === null ? undefined : session.moveTo(target)),
  })),
  brokenSession('tree:11', 'a move to nowhere does nothing', (session) => ({
    moveTo: (target: string | null) => session.moveTo(target).catch(() => {}),
  })),
  brokenSession('tree:12', 'an append follows the newest entry, not the leaf', (session) => ({
    async append(messages: Messages, options?: AppendOptions) {
      const newest = (await collect(session.entries())).at(-1)
      return append(session, messages, { parent: newest ?? null, ...options })
    },
  })),
  brokenSessions('tree:13', 'a session that was changed comes first', (sessions) => ({
    async *list(options: ListSessionsOptions) {
      const page = await collect(sessions.list(options))
      yield* [...page.filter(({ title }) => title !== undefined), ...page.filter(({ title }) => title === undefined)]
    },
  })),
  brokenSessions('tree:13', 'a page begins behind the time of the page before', (sessions) => ({
    async *list({ after, limit = Infinity }: ListSessionsOptions = {}) {
      const all = await collect(sessions.list())
      const last = all.find(({ cursor }) => cursor === after)
      if (after !== undefined && !last) yield* sessions.list({ after, limit })
      yield* all.filter(({ createdAt }) => !last || createdAt < last.createdAt).slice(0, limit)
    },
  })),
  brokenSessions('tree:13', 'archived sessions are listed like any other', (sessions) => ({
    list: (options: ListSessionsOptions) => sessions.list({ ...options, archived: true }),
  })),
  brokenSessions('tree:13', 'the oldest come first', (sessions) => ({
    async *list(options: ListSessionsOptions) {
      yield* (await collect(sessions.list(options))).toReversed()
    },
  })),
  brokenSession('tree:14', 'a title is made, then everything is put back as it was when that began', (session) => ({
    async generateTitle(generate: GenerateTitle<RoleMessage>) {
      const { metadata } = session
      const made = await session.generateTitle(generate)
      await restore(session, metadata)
      return made
    },
  })),
  brokenSession('tree:14', 'a change of the title puts everything else back as the handle had read it', (session) => {
    const { metadata } = session
    return {
      async update(patch: SessionPatch) {
        await session.update(patch)
        if (patch.title !== undefined) await restore(session, metadata)
      },
    }
  }),
]

async function restore(session: Session<RoleMessage>, metadata: Session<RoleMessage>['metadata']): Promise<void> {
  await session.refresh()
  const gone = Object.fromEntries(Object.keys(session.metadata).map((key) => [key, null]))
  await session.update({ metadata: { ...gone, ...metadata } })
}
