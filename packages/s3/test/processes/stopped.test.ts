import { openSessions, SessionError, type Session } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { noServer, openStore, realPlace, serverIsRequired, serverName, type Store } from '../servers.ts'
import { openOn, type Message } from './place.ts'
import { contents, ID, SECONDS, whileStopped } from './while-stopped.ts'

// A process that is stopped by SIGSTOP between its last look and its PUT, and goes on when others have written or removed what it knew.
// SESSIONTREE_S3_STOPPED=60 stops it for so many seconds.

async function newSession(store: Store): Promise<Session<Message>> {
  const session = await openOn(store.open()).create(ID, { title: 'before' })
  for (const content of ['one', 'two', 'three']) await session.append({ role: 'user', content })
  return session
}

const cases: readonly {
  readonly title: string
  readonly actor: 'append' | 'update'
  readonly act: (store: Store, session: Session<Message>) => Promise<unknown>
  readonly told: RegExp
  readonly left: readonly string[] | 'DELETED' | 'NOT_FOUND'
}[] = [
  {
    title: 'others append one message',
    actor: 'append',
    act: (_, session) => session.append({ role: 'user', content: 'four' }),
    told: /^CONFLICT no$/,
    left: ['one', 'two', 'three', 'four'],
  },
  {
    title: 'others append more than a block of messages',
    actor: 'append',
    async act(_, session) {
      for (let i = 4; i < 140; i++) await session.append({ role: 'user', content: String(i) })
    },
    told: /^CONFLICT no$/,
    left: ['one', 'two', 'three', ...Array.from({ length: 136 }, (_, i) => String(i + 4))],
  },
  {
    title: 'others delete the session',
    actor: 'append',
    act: (store) => openOn(store.open()).delete(ID),
    told: /^DELETED no$/,
    left: 'DELETED',
  },
  {
    title: 'others delete the session and sweep',
    actor: 'append',
    async act(store) {
      const sessions = openOn(store.open())
      await sessions.delete(ID)
      await sessions.sweep({ keepFor: 0 })
    },
    told: /^DELETED no$/,
    left: 'DELETED',
  },
  {
    title: 'others change the title, and it had one to set itself',
    actor: 'update',
    act: (_, session) => session.update({ metadata: { other: true } }),
    told: /^written$/,
    left: ['one', 'two', 'three'],
  },
  {
    title: 'others delete the session whose title it wants to set',
    actor: 'update',
    act: (store) => openOn(store.open()).delete(ID),
    told: /^DELETED no$/,
    left: 'DELETED',
  },
]

// Most of it is waiting for a process to start.
describe.skipIf(noServer && !serverIsRequired).concurrent(`on ${serverName}, stopped before its PUT`, () => {
  test.each(cases)(
    'while $title: overwrites and revives nothing',
    async ({ actor, act, told, left }) => {
      const place = await realPlace()
      await using store = openStore(place)
      const session = await newSession(store)
      expect(await whileStopped({ place, store, actor, put: 1 }, () => act(store, session))).toMatch(told)
      const sessions = openSessions<Message>(store.open())
      const found = await sessions.open(ID).catch((error: unknown) => error)
      if (typeof left === 'string') {
        expect(SessionError.is(found) && found.code).toBe(left)
        // A sweep finds nothing that was revived, and what came late is gone after it.
        await sessions.sweep({ keepFor: 0 })
        expect((await Array.fromAsync(sessions.list())).length).toBe(0)
        return
      }
      const opened = found as Session<Message>
      expect(await contents(opened)).toEqual(left)
      expect((await opened.verify()).problems).toEqual([])
      if (actor === 'update') expect([opened.title, opened.metadata]).toEqual(['stopped', { other: true }])
    },
    150_000 + SECONDS * 1000,
  )
})
