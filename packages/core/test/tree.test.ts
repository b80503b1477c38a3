import { memory, MemoryStore } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { openSessions, type SessionTree } from '../src/index.ts'
import { generatedLog, idAt, spoken } from './generated-log.ts'
import { seededClock, seededRandom } from './seeded.ts'

const user = (content: string) => ({ role: 'user', content })

async function fresh() {
  const store = new MemoryStore()
  const open = (seed: number) => openSessions(memory({ store }), { random: seededRandom(seed), clock: seededClock() })
  return { store, open, session: await open(1).create('s') }
}

/** Each branch as `fork point + entries → tip`, the active one with a star. */
const shape = ({ branches }: SessionTree) =>
  branches.map(
    ({ forkPoint, entries, tip, isActive }) => `${forkPoint ?? 'root'} +${entries} ${tip}${isActive ? ' *' : ''}`,
  )

describe('tree', () => {
  test('of an empty session is empty', async () => {
    const { session } = await fresh()
    expect(await session.tree()).toEqual({ nodes: [], branches: [], leaf: null })
  })

  test('has every entry without its content, parents first, with what it says by code point', async () => {
    const { session } = await fresh()
    const a = await session.append(user('🌳'.repeat(90)), { id: 'a' })
    await session.record({ type: 'turn_marker', status: 'started' }, { id: 'm' })
    await session.append(
      { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'look', arguments: '{"at":1}' } }] },
      { id: 'b' },
    )
    await session.record({ type: 'run_failure', error: 'out of luck' }, { id: 'f' })
    const { nodes, leaf } = await session.tree()
    expect(leaf).toBe('f')
    expect(nodes[0]).toEqual({
      id: 'a',
      parentId: null,
      type: 'user_message',
      createdAt: a.createdAt,
      position: a.position,
      preview: `${'🌳'.repeat(80)}…`,
    })
    expect(nodes.slice(1).map(({ id, parentId, preview }) => [id, parentId, preview])).toEqual([
      ['m', 'a', 'started'],
      ['b', 'm', 'look({"at":1})'],
      ['f', 'b', 'out of luck'],
    ])
  })

  test('tells the branches, where they part, and which is active', async () => {
    const { session, open } = await fresh()
    await session.append(['a', 'b', 'c'].map(user), { id: ['a', 'b', 'c'] })
    expect(shape(await session.tree())).toEqual(['root +3 c *'])
    await session.append(['d', 'e'].map(user), { id: ['d', 'e'], parent: 'a' })
    await session.append(user('f'), { id: 'f', parent: 'd' })
    expect(shape(await session.tree())).toEqual(['a +2 c', 'd +1 e', 'd +1 f *'])
    await session.moveTo('b')
    expect(shape(await session.tree()), 'an entry with children').toEqual(['a +1 b *', 'a +2 c', 'd +1 e', 'd +1 f'])
    await session.moveTo(null)
    await session.append(user('g'), { id: 'g' })
    expect(shape(await (await open(2).open('s')).tree())).toEqual(['a +2 c', 'd +1 e', 'd +1 f', 'root +1 g *'])
  })

  test('of 100,000 entries in one path', { timeout: 60_000 }, async () => {
    const { session, store } = await fresh()
    store.logs.set('session/s/0', [...generatedLog(100_000, (at) => spoken(at, 20))])
    const tree = await session.tree()
    expect(shape(tree)).toEqual([`root +100000 ${idAt(99_999)} *`])
    expect([tree.nodes.length, tree.nodes[99_999]?.parentId]).toEqual([100_000, idAt(99_998)])
  })
})

describe('label', () => {
  test('names an entry in the tree, keeps the leaf, and is nothing to the model', async () => {
    const { session, open } = await fresh()
    const [a, b] = await session.append(['a', 'b'].map(user), { id: ['a', 'b'] })
    const before = await session.context()
    expect(await session.label(a!, 'the beginning')).toMatchObject({
      type: 'label',
      target: 'a',
      label: 'the beginning',
      parentId: 'a',
    })
    await session.label('b', 'wrong turning')
    expect((await session.leaf())?.id).toBe('b')
    expect(await session.context()).toEqual(before)
    const labels = async () => (await (await open(2).open('s')).tree()).nodes.map(({ label }) => label)
    expect(await labels()).toEqual(['the beginning', 'wrong turning'])
    expect(shape(await session.tree()), 'a label is no branch').toEqual(['root +2 b *'])
    await session.label(b!, 'right after all')
    await session.label(a!, null)
    expect(await labels()).toEqual([undefined, 'right after all'])
    const c = await session.append(user('c'))
    expect(c.parentId).toBe('b')
    expect(await session.verify()).toMatchObject({ ok: true })
    expect((await session.entries().toArray()).filter(({ type }) => type === 'label')).toHaveLength(4)
  })

  test('also while another handle has moved on', async () => {
    const { session, open } = await fresh()
    await session.append(user('a'), { id: 'a' })
    const other = await open(2).open('s')
    await other.append(user('b'), { id: 'b' })
    await session.label('b', 'theirs')
    expect((await other.leaf())?.id).toBe('b')
    await expect(session.append(user('c')), 'a label shows nothing').rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('bad input writes nothing', async () => {
    const { session, store } = await fresh()
    await session.append(user('a'), { id: 'a' })
    const before = [...store.logs.get('session/s/0')!]
    for (const text of ['', '  ', 'x'.repeat(257), '\ud800', 1 as never]) {
      await expect(session.label('a', text)).rejects.toBeInstanceOf(TypeError)
    }
    await expect(session.label('nowhere', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(store.logs.get('session/s/0')).toEqual(before)
  })
})
