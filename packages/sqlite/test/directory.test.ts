import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { modelSuite } from '@sessiontree/contract/model'
import { contractSuite, sessionSuite } from '@sessiontree/contract/vitest'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { sqliteDirectory } from '../src/index.ts'
import { damageDocument, damageRecord } from './damage.ts'
import { closing, freshFolder } from './fresh-folder.ts'

const harness: Harness = {
  name: 'sqlite, a file for each log',
  knownGaps: [{ id: 'arguments/names', reason: 'SQLite takes no path longer than 512 bytes, folder included' }],
  lacks: {
    crash: 'as with one file, see contract-processes.test.ts',
    costs: 'as with one file, see contract.test.ts',
    openFailingNextFlush: 'as with one file, see contract.test.ts',
  },
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-sqlite-'))
    const root = join(folder, 'store')
    return {
      open: async () => sqliteDirectory(root, { durability: 'process' }),
      damage: async (log, at) => damageRecord(`${join(root, 'log', log)}.db`, log, at),
      damageDocument: async (key) => damageDocument(join(root, 'documents.db'), key),
      vanish: () => rm(root, { recursive: true }),
      destroy: () => rm(folder, { recursive: true, force: true }),
    }
  },
}
contractSuite(harness)
sessionSuite(harness)
modelSuite(harness, { test, fc, runs: 20 })

test('a name that makes the path too long for SQLite is TOO_LARGE, and such a log is empty', async () => {
  const adapter = closing(sqliteDirectory(freshFolder(), { durability: 'process' }))
  const name = Array.from({ length: 5 }, () => 'x'.repeat(95)).join('/')
  await expect(adapter.append(name, 0, ['1'])).rejects.toMatchObject({ code: 'TOO_LARGE', written: 'no' })
  expect(await Array.fromAsync(adapter.read(name))).toEqual([])
  await expect(adapter.append(name, 1, ['1'])).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('many logs are open at once, names that look like files stay apart, and a drop gives the files back', async () => {
  const root = freshFolder()
  const adapter = closing(sqliteDirectory(root, { durability: 'process' }))
  const names = ['a', 'a.db', 'a.db/b', 'a.db-wal', 'a.db-wal/b', 'a/b', 'a-b', 'a.db-shm/c']
  const many = Array.from({ length: 60 }, (_, i) => `many/log-${String(i).padStart(2, '0')}`)
  await Promise.all([...names, ...many].map((name) => adapter.append(name, 0, [`"${name}"`])))
  for (const name of [...names, ...many]) {
    const batches = await Array.fromAsync(adapter.read(name))
    expect(batches).toEqual([{ at: 0, records: [`"${name}"`] }])
  }
  expect((await Array.fromAsync(adapter.logs(''))).flat()).toEqual([...names, ...many].toSorted())
  for (const name of names) await adapter.drop(name)
  expect((await Array.fromAsync(adapter.logs(''))).flat()).toEqual(many)
  const left = await readdir(join(root, 'log'), { recursive: true })
  expect(left.filter((name) => /\.db/.test(name) && !name.startsWith('many') && !name.endsWith('+'))).toEqual([])
})
