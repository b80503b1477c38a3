import { memory, MemoryStore } from '@sessiontree/memory'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RoleMessage, Session } from '../src/index.ts'
import { nothing, open, user } from './swept-store.ts'

/** What a session is to somebody who copies all there is: entries with their parents, in order, and the leaf. */
interface Copy {
  readonly entries: { readonly id: string; readonly parent: string | null }[]
  leaf: string | null
}

const command = fc.record({
  kind: fc.constantFrom('append', 'append', 'append', 'move', 'fork', 'fork', 'before', 'delete', 'reopen'),
  session: fc.nat(),
  entry: fc.nat(),
})

function pathOf({ entries }: Copy, end: string | null): string[] {
  const parents = new Map(entries.map(({ id, parent }) => [id, parent]))
  const path: string[] = []
  for (let id = end; id !== null; id = parents.get(id) ?? null) path.unshift(id)
  return path
}

const idsOf = async (session: Session<RoleMessage>) => (await Array.fromAsync(session.entries())).map(({ id }) => id)

test('a tree of sessions, forked, appended to and deleted at random, is what copying all of it would be', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
      const store = new MemoryStore()
      const sessions = open(memory({ store }))
      const copies = new Map<string, Copy>([['s0', { entries: [], leaf: null }]])
      const handles = new Map([['s0', await sessions.create('s0')]])
      let made = 0
      for (const { kind, session, entry } of commands) {
        const live = [...copies.keys()]
        const id = live[session % live.length]
        if (id === undefined) break
        const [copy, handle] = [copies.get(id)!, handles.get(id)!]
        const target = copy.entries[entry % Math.max(1, copy.entries.length)]
        const next = `x${++made}`
        if (kind === 'append') {
          await handle.append(user(next), { id: next })
          copy.entries.push({ id: next, parent: copy.leaf })
          copy.leaf = next
        } else if (kind === 'move' && target) {
          await handle.moveTo(target.id)
          copy.leaf = target.id
        } else if ((kind === 'fork' || kind === 'before') && target) {
          const fork = await handle.fork({ id: next, [kind === 'fork' ? 'at' : 'before']: target.id })
          const leaf = kind === 'fork' ? target.id : target.parent
          const path = pathOf(copy, leaf)
          copies.set(next, { entries: path.map((one, i) => ({ id: one, parent: path[i - 1] ?? null })), leaf })
          handles.set(next, fork)
        } else if (kind === 'delete') {
          await sessions.delete(id)
          copies.delete(id)
          handles.delete(id)
        } else if (kind === 'reopen') handles.set(id, await open(memory({ store }), { seed: made }).open(id))
      }
      for (const [id, copy] of copies) {
        for (const handle of [handles.get(id)!, await open(memory({ store }), { seed: 99 }).open(id)]) {
          const path = (await Array.fromAsync(handle.path())).map((one) => one.id)
          expect(path).toEqual(pathOf(copy, copy.leaf))
          expect((await handle.context()).messages.map(({ content }) => content)).toEqual(path)
          expect(await idsOf(handle)).toEqual(copy.entries.map((one) => one.id))
          expect(await handle.verify()).toMatchObject({ ok: true, problems: [], entries: copy.entries.length })
        }
      }
      expect(await sessions.sweep()).toEqual(nothing)
      for (const id of copies.keys()) await sessions.delete(id)
      expect([...store.logs.keys()]).toEqual([])
      expect([...store.documents.keys()].filter((key) => !key.startsWith('session/'))).toEqual([])
    }),
    { numRuns: 150 },
  )
}, 120_000)
