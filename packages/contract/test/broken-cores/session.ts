import { SessionError, type AppendOptions, type RoleMessage, type Session } from '@sessiontree/core'
import { brokenCalls, brokenSession, brokenSessions, type BrokenCore } from './broken-core.ts'

export type Messages = RoleMessage | readonly RoleMessage[]
export const append = (session: Session<RoleMessage>, messages: Messages, options?: AppendOptions) =>
  session.append(messages as RoleMessage, options)

/** Assigns what it copies: an own `__proto__` becomes the prototype. */
function carelessCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(carelessCopy)
  const copy: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) copy[key] = carelessCopy(member)
  return copy
}

/** Cores that break a case of the group `session`. */
export const brokenSessionCores: readonly BrokenCore[] = [
  brokenSessions('tree:32/ids', 'ids are normalised', (sessions) => ({
    create: (id: string, options: object) => sessions.create(id.normalize('NFC'), options),
  })),
  brokenSessions('tree:32/ids', 'ids are folded to lower case', (sessions) => ({
    create: (id: string, options: object) => sessions.create(id.toLowerCase(), options),
    open: (id: string) => sessions.open(id.toLowerCase()),
  })),
  brokenSessions('tree:32/ids', 'ids are cut to 1,000 characters', (sessions) => ({
    create: (id: string, options: object) => sessions.create(id.slice(0, 1000), options),
    open: (id: string) => sessions.open(id.slice(0, 1000)),
  })),
  brokenSession('session/entry-ids', 'a given id is not looked for', (session) => ({
    append: (messages: Messages, { id: _id, ...options }: AppendOptions = {}) => append(session, messages, options),
  })),
  brokenCalls('session/odd-content', '__proto__ is lost in a copy', (adapter) => ({
    append: (log, at, records, options) =>
      adapter.append(
        log,
        at,
        records.map((text) => JSON.stringify(carelessCopy(JSON.parse(text)))),
        options,
      ),
  })),
  brokenCalls('session/odd-content', 'lone surrogates are replaced', (adapter) => ({
    append: (log, at, records, options) =>
      adapter.append(
        log,
        at,
        records.map((text) => text.replaceAll(/\\ud[89a-f]../g, '\\ufffd')),
        options,
      ),
  })),
  brokenSession('session/refused-content', 'whatever JSON makes of it is stored', (session) => ({
    append: (messages: Messages) => append(session, JSON.parse(JSON.stringify(messages) ?? 'null') as Messages),
  })),
  brokenSession('session/refused-content', 'a batch is stored up to what is refused', (session) => ({
    async append(messages: Messages) {
      if (!Array.isArray(messages)) return append(session, messages)
      for (const message of messages as RoleMessage[]) await session.append(message)
      return undefined
    },
  })),
  brokenSession('session/together', 'each append waits for the one before it', (session) => {
    let before: Promise<unknown> = Promise.resolve()
    return {
      append(messages: Messages) {
        const stored = before.then(() => append(session, messages))
        before = stored
        return stored
      },
    }
  }),
  brokenSession('session/together', 'appends at once go in any order', (session) => ({
    async append(messages: Messages) {
      const { content } = messages as unknown as { content: string }
      if (Number(content) % 2 === 1) await Promise.resolve()
      return append(session, messages)
    },
  })),
  brokenSession('session/two-handles', 'reject is taken for rebase', (session) => ({
    append: (messages: Messages) => append(session, messages, { onConflict: 'rebase' }),
  })),
  brokenSession('session/two-handles', 'rebase is taken for reject', (session) => ({
    append: (messages: Messages) => append(session, messages),
  })),
  brokenSession('session/stored-elsewhere', 'what is in memory decides that it conflicts', (session) => {
    let shown: string | undefined
    let known: string | undefined
    return {
      leaf: async () => {
        const leaf = await session.leaf()
        ;[shown, known] = [leaf?.id, leaf?.id]
        return leaf
      },
      entry: async (...args: Parameters<Session<RoleMessage>['entry']>) => {
        const entry = await session.entry(...args)
        known = entry.id
        return entry
      },
      append(messages: Messages, options?: AppendOptions) {
        if (shown !== known) throw new SessionError('CONFLICT', 'Another writer moved the leaf.')
        return append(session, messages, options)
      },
    }
  }),
  brokenSession('session/stored-elsewhere', 'half of a batch that is known is a duplicate', (session) => ({
    append(messages: Messages, options?: AppendOptions) {
      if (Array.isArray(messages)) throw new SessionError('DUPLICATE', 'Half of it is stored.')
      return append(session, messages, options)
    },
  })),
  ...(['status', 'touch', 'recover'] as const).map((name) =>
    brokenSession('session/told-but-not-shown', `${name}() counts as having seen the leaf`, (session) => ({
      async [name]() {
        await session.leaf()
        return session[name]()
      },
    })),
  ),
  brokenSession('session/large-batch', 'a batch that is too large is appended in two', (session) => ({
    async append(messages: Messages, options?: AppendOptions) {
      if (!Array.isArray(messages)) return append(session, messages, options)
      const all = messages as readonly RoleMessage[]
      if (all.length <= 1024) return append(session, all, options)
      return [...(await session.append(all.slice(0, 1024))), ...(await session.append(all.slice(1024)))]
    },
  })),
  brokenSession('session/delete-nothing-to-write', 'a move to the leaf that it knows is done at once', () => ({
    moveTo: async () => undefined,
  })),
  brokenSession('session/delete-nothing-to-write', 'an entry in memory is stored', (session) => {
    let entry: unknown
    return {
      append: async (messages: Messages, options?: AppendOptions) =>
        (entry ??= await append(session, messages, options)),
    }
  }),
  brokenSession('session/delete-nothing-to-write', 'a save of what was there is done at once', () => ({
    save: async () => ({ appended: [], kept: 1 }),
  })),
  brokenSessions('session/delete-behind-turn', 'a deletion asks the lease alone', (sessions) => ({
    async delete(id: string, options: object) {
      const { value } = await sessions.list().next()
      const session = value && (await sessions.open(id))
      if (await session?.activeTurn()) throw new SessionError('ACTIVE_TURN', 'There is a lease.')
      return sessions.delete(id, options)
    },
  })),
  brokenSession('session/delete-behind-turn', 'a turn that has ended is said to hold the session', (session) => ({
    activeTurn: async () => ({ ...(await session.activeTurn()), isExpired: false }),
  })),
  brokenSession('tree:33/racers', 'an append that lost a race is acknowledged all the same', (session) => ({
    async append(messages: Messages) {
      await session.leaf()
      await new Promise((resolve) => setTimeout(resolve))
      return append(session, messages).catch(() => ({ id: 'lost' }))
    },
  })),
  brokenSession('tree:33/racers', 'a rebase goes behind where the leaf was', (session) => ({
    async append(messages: Messages, options: AppendOptions) {
      const leaf = await session.leaf()
      await new Promise((resolve) => setTimeout(resolve))
      return append(session, messages, { ...options, parent: leaf ?? null })
    },
  })),
  brokenCalls('session/lost-answer', 'an uncertain append is called a failure', (adapter) => ({
    append: (...args) => adapter.append(...args).catch(asFailure),
  })),
  brokenCalls('session/lost-answer', 'an uncertain put is called a failure', (adapter) => ({
    put: (...args) => adapter.put(...args).catch(asFailure),
  })),
  brokenCalls('session/lost-answer', 'an uncertain append is tried again at the next index', (adapter) => ({
    append: (log, at, records, options) =>
      adapter.append(log, at, records, options).catch((error: unknown) => {
        if (!SessionError.is(error, 'UNCERTAIN')) throw error
        return adapter.append(log, at + 1, records, options)
      }),
  })),
  brokenSession('session/crash', 'an append resolves before it is stored', (session) => ({
    async append(messages: Messages) {
      const id = crypto.randomUUID()
      setTimeout(() => void append(session, messages, { id, onConflict: 'rebase' }).catch(() => {}))
      return { id }
    },
  })),
  brokenSession('session/update', 'metadata is replaced as a whole', (session) => ({
    async update({ title, metadata }: { title?: string; metadata?: Record<string, never> }) {
      const gone = Object.fromEntries(Object.keys(session.metadata).map((key) => [key, null]))
      await session.update({ title, ...(metadata ? { metadata: { ...gone, ...metadata } } : {}) })
    },
  })),
  brokenCalls('session/update', 'the last one wins', (adapter) => ({
    async put(key, value, { expect }) {
      for (;;) {
        const current = await adapter.get(key)
        const now = expect === 'absent' ? 'absent' : (current?.version ?? 'absent')
        const version = await adapter.put(key, value, { expect: now }).catch(() => undefined)
        if (version !== undefined || expect === 'absent') return version ?? adapter.put(key, value, { expect })
      }
    },
  })),
  brokenCalls('session/delete', 'the log stays', () => ({ drop: async () => {} })),
  brokenCalls('session/delete', 'the tombstone keeps the title', (adapter) => {
    const titles = new Map<string, unknown>()
    return {
      put(key, value, options) {
        const document = JSON.parse(value) as { title?: unknown; state?: string }
        if (document.title !== undefined) titles.set(key, document.title)
        const kept = document.state === 'tombstone' ? JSON.stringify({ ...document, was: titles.get(key) }) : value
        return adapter.put(key, kept, options)
      },
    }
  }),
  brokenCalls('session/delete', 'the document goes, so that the id is free again', (adapter) => ({
    async put(key, value, options) {
      const version = await adapter.put(key, value, options)
      if (value.includes('"tombstone"')) await adapter.remove(key, { expect: version })
      return version
    },
  })),
  brokenSessions('session/delete', 'a neighbour goes along', (sessions) => ({
    async delete(id: string) {
      await sessions.delete(id)
      for await (const info of sessions.list()) if (info.id.startsWith(id)) await sessions.delete(info.id)
    },
  })),
  brokenSessions('session/sweep', 'a sweep does nothing', () => ({
    sweep: async () => ({ failed: [], orphans: [], deletesFinished: 0, logsDropped: 0 }),
  })),
  brokenCalls('session/sweep', 'a sweep does not drop', () => ({ drop: async () => {} })),
  brokenSessions('session/sweep', 'a sweep takes living sessions', (sessions) => ({
    async sweep() {
      for await (const { id } of sessions.list()) await sessions.delete(id)
      return sessions.sweep()
    },
  })),
  brokenCalls('session/erase', 'tombstones stay', (adapter) => ({
    remove: async (key, options) => {
      const value = (await adapter.get(key))?.value ?? ''
      if (!value.includes('"tombstone"')) await adapter.remove(key, options)
    },
  })),
  brokenCalls('session/erase', 'the scope does not move', (adapter) => ({
    async get(key, options) {
      return key.includes('scope/') ? undefined : adapter.get(key, options)
    },
    async put(key, value, options) {
      return key.includes('scope/') ? 'version' : adapter.put(key, value, options)
    },
  })),
  brokenCalls('session/erase', 'names that begin alike go along', (adapter) => ({
    async *keys(prefix, options) {
      if (!prefix.endsWith('user-7.0')) return yield* adapter.keys(prefix, options)
      for await (const page of adapter.keys('acme.0', options)) {
        yield page.filter((key) => key.startsWith(prefix.slice(0, -'.0'.length)))
      }
    },
  })),
  brokenSession('session/repair', 'verify finds nothing', (session) => ({
    verify: async () => ({ ...(await session.verify().catch(() => ({}))), ok: true, problems: [], lost: 0 }),
  })),
  brokenSession('session/repair', 'a repair does nothing', () => ({
    repair: async () => ({ repaired: true, records: 0, lost: [{ first: 20, last: 20 }], lostEnd: false }),
  })),
  brokenCalls('session/repair', 'the copy leaves the gap out', (adapter) => {
    const shift = new Map<string, number>()
    return {
      append(log, at, records, options) {
        const sound = records.filter((text) => !text.includes('"type":"lost"'))
        const before = shift.get(log) ?? 0
        shift.set(log, before + records.length - sound.length)
        return adapter.append(log, at - before, sound, options)
      },
    }
  }),
  brokenSessions('session/damaged-document', 'a damaged session is created anew', (sessions) => ({
    async create(id: string, options: object) {
      return sessions.create(id, options).catch((error: unknown) => {
        if (SessionError.is(error, 'CORRUPT')) return sessions.create(`${id} again`, options)
        throw error
      })
    },
  })),
]

export function asFailure(error: unknown): never {
  if (SessionError.is(error, 'UNCERTAIN')) throw new SessionError('IO', 'It failed.')
  throw error
}
