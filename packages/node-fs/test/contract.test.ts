import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import type { FileSystem } from '../src/file-system.ts'
import { openNodeFs } from '../src/node-fs.ts'
import { ContractPlace } from './contract-place.ts'

/** A file system on which the answer to the next write of a line is lost: to its flush, or to the look at where it landed. */
function losingNextAnswer(system: FileSystem, durability: 'disk' | 'process'): FileSystem {
  let written = false
  let lost = false
  const lose = () => {
    if (!written || lost) return
    lost = true
    throw Object.assign(new Error('EIO: i/o error'), {
      code: 'EIO',
      syscall: durability === 'disk' ? 'fdatasync' : 'fstat',
    })
  }
  return {
    ...system,
    write(file, bytes) {
      written = bytes.subarray(0, 6).toString() === '{"at":'
      return system.write(file, bytes)
    },
    fstat(file) {
      if (durability === 'process') lose()
      return system.fstat(file)
    },
    async flush(file) {
      if (durability === 'disk') lose()
      await system.flush(file)
    },
  }
}

for (const durability of ['disk', 'process'] as const) {
  const harness: Harness = {
    name: `node-fs (${durability})`,
    lacks: { openFailingNextFlush: 'durability "process" flushes nothing' },
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'sessiontree-'))
      const place = new ContractPlace(join(folder, 'store'), durability)
      const open = (system: FileSystem) => openNodeFs(place.root, { durability }, system)
      return {
        open: async () => open(place.system()),
        openLosingNextAnswer: async () => open(losingNextAnswer(place.system(), durability)),
        ...(durability === 'disk' && {
          openFailingNextFlush: async () => open(losingNextAnswer(place.system(), durability)),
        }),
        damage: async (log, at) => place.damage(log, at),
        damageDocument: async (key) => place.damageDocument(key),
        vanish: () => rm(place.root, { recursive: true }),
        crash: () => place.crash(),
        costs: () => place.costs,
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
