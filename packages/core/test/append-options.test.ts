import { describe, expect, test } from 'vitest'
import { two, user, words } from './turn-rig.ts'

describe('onConflict: fork', () => {
  test('stays beside what another writer appended, behind what the caller was shown', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    await other.context()
    const theirs = await session.append(user('theirs'))
    const mine = await other.append(user('mine'), { onConflict: 'fork' })
    expect(mine.parentId).toBe(base.id)
    expect(await words(other)).toEqual(['base', 'mine'])
    expect((await session.entry(theirs)).parentId).toBe(base.id)
  })

  test('follows the leaf where nobody came between, and where nothing was shown yet', async () => {
    const { session, other } = await two()
    await session.append(user('base'))
    await other.append(user('unseen'), { onConflict: 'fork' })
    await other.append(user('on'), { onConflict: 'fork' })
    expect(await words(other)).toEqual(['base', 'unseen', 'on'])
  })

  test('calls of one handle follow each other, and start a new root beside an empty session', async () => {
    const { session, other } = await two()
    await other.leaf()
    await session.append(user('theirs'))
    const [first, second] = await Promise.all([
      other.append(user('1'), { onConflict: 'fork' }),
      other.append(user('2'), { onConflict: 'fork' }),
    ])
    expect([first.parentId, second.parentId]).toEqual([null, first.id])
    const third = await other.append(user('3'), { onConflict: 'fork' })
    expect(third.parentId).toBe(second.id)
  })

  test('is no other word than these', async () => {
    const { session, store } = await two()
    await expect(session.append(user('x'), { onConflict: 'overwrite' as never })).rejects.toThrow(TypeError)
    await expect(session.append(user('x'), { leaf: 'drop' as never })).rejects.toThrow(TypeError)
    expect(store.logs.get('session/s/0')).toBeUndefined()
  })
})

describe('leaf: keep', () => {
  test('stores the entry, and leaves the leaf where it is', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    const note = await session.append(user('note'), { leaf: 'keep' })
    expect(note.parentId).toBe(base.id)
    const [one, two_] = await session.append([user('1'), user('2')], { leaf: 'keep', parent: note })
    expect([one!.parentId, two_!.parentId]).toEqual([note.id, one!.id])
    await session.append(user('on'))
    expect(await words(other)).toEqual(['base', 'on'])
    expect((await session.verify()).ok).toBe(true)
  })

  test('in an empty session too', async () => {
    const { session, other } = await two()
    const note = await session.append(user('note'), { leaf: 'keep' })
    expect(await other.leaf()).toBeUndefined()
    const base = await session.append(user('base'))
    expect([note.parentId, base.parentId]).toEqual([null, null])
  })

  test('does not make the caller know a leaf that others moved', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    await other.context()
    await session.append(user('theirs'))
    await other.append(user('note'), { leaf: 'keep', parent: base })
    await expect(other.append(user('mine'))).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('behind one that is rejected is not rejected with it', async () => {
    const { session, other } = await two()
    const base = await session.append(user('base'))
    await other.context()
    await session.append(user('theirs'))
    const results = await Promise.allSettled([
      other.append(user('mine')),
      other.append(user('note'), { leaf: 'keep', parent: base }),
      other.append(user('behind'), { parent: base }),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  })
})
