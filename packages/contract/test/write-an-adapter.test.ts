import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, StatementSync, type SQLInputValue } from 'node:sqlite'
import { caseById, type Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { modelSuite } from '@sessiontree/contract/model'
import { contractSuite } from '@sessiontree/contract/vitest'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sqliteStore } from '../example/sqlite-store.ts'

const harness: Harness = {
  name: 'the SQLite store of write-an-adapter.md',
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-sqlite-'))
    const file = join(folder, 'sessions.db')
    return {
      open: async () => sqliteStore(file),
      async openLosingNextAnswer() {
        const handle = sqliteStore(file)
        failNextWrite('after')
        return handle
      },
      async openFailingNextFlush() {
        const handle = sqliteStore(file)
        failNextWrite('before')
        return handle
      },
      async damage(log, at) {
        change(file, "UPDATE records SET text = x'ff' WHERE name = ? AND length = ? + 1", log, at)
        return [at]
      },
      damageDocument: async (key) => change(file, "UPDATE documents SET text = x'ff' WHERE name = ?", key),
      destroy: () => rm(folder, { recursive: true }),
    }
  },
}

/** Makes the next write of this process fail, before it happens or although it has. */
function failNextWrite(moment: 'before' | 'after'): void {
  const all = StatementSync.prototype.all as (this: StatementSync, ...values: SQLInputValue[]) => object[]
  function allButOneWrite(this: StatementSync, ...values: SQLInputValue[]) {
    if (this.sourceSQL.startsWith('SELECT')) return all.apply(this, values)
    StatementSync.prototype.all = all as typeof StatementSync.prototype.all
    if (moment === 'after') all.apply(this, values)
    throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 })
  }
  StatementSync.prototype.all = allButOneWrite as typeof StatementSync.prototype.all
}

/** Changes the file behind the back of the adapter. */
function change(file: string, sql: string, ...values: (string | number)[]): void {
  const database = new DatabaseSync(file)
  database.prepare(sql).run(...values)
  database.close()
}

contractSuite(harness)
modelSuite(harness, { test, fc, runs: 20 })

test('several callers race on one file', async () => {
  await raceRun(harness, { seed: 1, rates: { lost: 0.1, late: 0.1 } })
})

describe('docs/write-an-adapter.md', () => {
  const page = new URL('../../../docs/write-an-adapter.md', import.meta.url)

  test('shows the adapter that is tested here, and how to test it', async () => {
    const text = await readFile(page, 'utf8')
    const files = ['../example/sqlite-store.ts', '../example/sqlite-store-suite.ts']
    const examples = await Promise.all(files.map((file) => readFile(new URL(file, import.meta.url), 'utf8')))
    expect(Array.from(text.matchAll(/^```ts\n(.*?)^```/gms), ([, block]) => block)).toEqual(examples)
  })

  test('names cases that there are', async () => {
    const text = (await readFile(page, 'utf8')).replace(/^```.*?^```/gms, '')
    const groups =
      'append|uncertain|read|text|document|list|drop|close|arguments|damage|crash|vanish|cost|handles|abort'
    const named = Array.from(text.matchAll(new RegExp(`\`((?:${groups})/[a-z-]+)\``, 'g')), ([, id]) => id ?? '')
    expect(named.length).toBeGreaterThan(10)
    for (const id of named) expect(caseById(id).id).toBe(id)
  })
})
