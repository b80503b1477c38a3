import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contractSuite } from '@sessiontree/contract/vitest'
import { localFileSystem, type FileSystem } from '../src/file-system.ts'
import { nodeFs, openNodeFs } from '../src/node-fs.ts'

/** A file system on which the answer to the next write of a line is lost: to its flush, or to the look at where it landed. */
function losingNextAnswer(durability: 'disk' | 'process'): FileSystem {
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
    ...localFileSystem,
    write(file, bytes) {
      written = bytes.subarray(0, 6).toString() === '{"at":'
      return localFileSystem.write(file, bytes)
    },
    fstat(file) {
      if (durability === 'process') lose()
      return localFileSystem.fstat(file)
    },
    async flush(file) {
      if (durability === 'disk') lose()
      await localFileSystem.flush(file)
    },
  }
}

for (const durability of ['disk', 'process'] as const) {
  contractSuite({
    name: `node-fs (${durability})`,
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'sessiontree-'))
      const root = join(folder, 'store')
      return {
        open: async () => nodeFs(root, { durability }),
        openLosingNextAnswer: async () => openNodeFs(root, { durability }, losingNextAnswer(durability)),
        destroy: () => rm(folder, { recursive: true, force: true }),
      }
    },
  })
}
