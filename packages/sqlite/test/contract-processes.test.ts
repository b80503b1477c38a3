import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite } from '@sessiontree/contract/vitest'
import { afterAll } from 'vitest'
import { damageDocument, damageRecord } from './damage.ts'
import { RemoteProcess } from './remote-process.ts'

// Every other handle of a case lives in the other process.
let processes: RemoteProcess[] = []
let opened = 0

function nextProcess(): RemoteProcess {
  const at = opened++ % 2
  return (processes[at] ??= new RemoteProcess())
}

async function killAll(): Promise<void> {
  const dying = processes
  processes = []
  await Promise.all(dying.map((one) => one?.kill()))
}
afterAll(killAll)

for (const durability of ['disk', 'process'] as const) {
  const harness: Harness = {
    name: `sqlite from two processes (${durability === 'disk' ? 'FULL' : 'NORMAL'})`,
    lacks: {
      costs: 'what passes the driver is counted in contract.test.ts',
      openFailingNextFlush: 'durability "process" flushes nothing at a commit',
    },
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'sessiontree-sqlite-'))
      const file = join(folder, 'sessions.db')
      return {
        open: () => nextProcess().open(file, durability),
        openLosingNextAnswer: () => nextProcess().open(file, durability, 'lost'),
        ...(durability === 'disk' && {
          openFailingNextFlush: () => nextProcess().open(file, durability, 'not flushed'),
        }),
        damage: async (log, at) => damageRecord(file, log, at),
        damageDocument: async (key) => damageDocument(file, key),
        vanish: () => rm(folder, { recursive: true }),
        // SIGKILL: that FULL flushes before it answers, flushes.test.ts looks at.
        crash: killAll,
        destroy: () => rm(folder, { recursive: true, force: true }),
      }
    },
  }
  contractSuite(harness)
  // What lies above the adapter takes no notice of how it flushes.
  if (durability === 'disk') sessionSuite(harness)
}
