import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot } from '../observed-system.ts'
import { generateLog } from './generated-log.ts'
import type { LongReadReport } from './long-read.ts'
import { commandFor } from './processes.ts'

const READER = new URL('long-read.ts', import.meta.url)
const LOG = 'long'
const RECORDS = 100_000
const RECORD = JSON.stringify('x'.repeat(998))
const MIB = 1024 * 1024
const run = promisify(execFile)

test.each([false, true])(
  '100,000 records of 1 kB are read in bounded memory (reverse: %s)',
  { timeout: 120_000 },
  async (reverse) => {
    const root = freshRoot()
    await nodeFs(root).get('makes-the-store')
    generateLog(root, LOG, RECORDS, () => RECORD)
    const [command, ...args] = commandFor(READER, { root, log: LOG, reverse })
    const { stdout } = await run(command, ['--expose-gc', ...args])
    const { records, batches, largestBatch, growth } = JSON.parse(stdout) as LongReadReport
    expect(records).toBe(RECORDS)
    expect(batches).toBeGreaterThan(50)
    expect(largestBatch).toBeLessThanOrEqual(2 * MIB)
    expect(growth).toBeLessThan(16 * MIB)
  },
)
