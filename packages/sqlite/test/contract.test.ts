import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import { nodeSqlite, sqlite } from '../src/index.ts'
import { damageDocument, damageRecord } from './damage.ts'
import { DRIVERS } from './drivers.ts'
import { observed, type Observation } from './observed-driver.ts'

for (const [name, driver] of Object.entries(DRIVERS)) {
  // A driver is a way to the same library: one setting of the other one is enough.
  for (const durability of driver === nodeSqlite ? (['disk', 'process'] as const) : (['disk'] as const)) {
    const harness: Harness = {
      name: `sqlite on ${name} (${durability === 'disk' ? 'FULL' : 'NORMAL'})`,
      lacks: {
        crash: 'a process cannot kill itself and go on; see contract-processes.test.ts',
        openFailingNextFlush: 'durability "process" flushes nothing at a commit',
      },
      async create() {
        const folder = await mkdtemp(join(tmpdir(), 'sessiontree-sqlite-'))
        const file = join(folder, 'sessions.db')
        const seen: Observation = { operations: 0, bytesRead: 0, bytesWritten: 0 }
        const open = (commit?: 'lost' | 'not flushed') =>
          sqlite(file, { durability, driver: observed(driver, seen, commit) })
        return {
          open: async () => open(),
          openLosingNextAnswer: async () => open('lost'),
          ...(durability === 'disk' && { openFailingNextFlush: async () => open('not flushed') }),
          damage: async (log, at) => damageRecord(file, log, at),
          damageDocument: async (key) => damageDocument(file, key),
          vanish: () => rm(folder, { recursive: true }),
          costs: () => ({ ...seen }),
          destroy: () => rm(folder, { recursive: true, force: true }),
        }
      },
    }
    contractSuite(harness)
    // What lies above the adapter takes no notice of how it flushes.
    if (durability === 'process') continue
    sessionSuite(harness)
    systemsSuite(harness)
  }
}
