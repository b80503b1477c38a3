import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openLedger } from '@sessiontree/ledger'
import { nodeFs } from '@sessiontree/node-fs'
import { expect, onTestFinished, test } from 'vitest'

const APPENDER = fileURLToPath(new URL('./appender.ts', import.meta.url))

test(
  'ledger:16: 8 processes × 3 appends are 24 entries, each derived from exactly those before it',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-ledger-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const run = promisify(execFile)
    const args = ['--conditions=@sessiontree/source', APPENDER, folder]
    await Promise.all(Array.from({ length: 8 }, (_, i) => run(process.execPath, [...args, `p${i}`])))
    await using adapter = nodeFs(folder)
    const { entries } = await openLedger(adapter, 't').load()
    expect(entries.map(({ id }) => id)).toEqual(Array.from({ length: 24 }, (_, i) => `entry-${i + 1}`))
    expect(entries.map(({ reason }) => Number(reason?.split(' ').at(-1)))).toEqual([...Array(24).keys()])
  },
)
