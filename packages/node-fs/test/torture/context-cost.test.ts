import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSessions } from '@sessiontree/core'
import { afterAll, describe, expect, test } from 'vitest'
import { compactedTail } from '../../../core/test/compacted-tail.ts'
import { nodeFs, openNodeFs } from '../../src/node-fs.ts'
import { generateLog } from './generated-log.ts'
import { measuredSystem } from './measured-system.ts'

const SIZES = [1_000, 100_000, 1_000_000]
const KIB = 1024

const folder = mkdtempSync(join(tmpdir(), 'sessiontree-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('open and context behind the same compaction', () => {
  test('cost the same whatever the length of the history, on a fork of a fork too', { timeout: 300_000 }, async () => {
    const costs = new Map<string, { readonly calls: object; readonly bytesRead: number }[]>()
    for (const size of SIZES) {
      const root = join(folder, String(size))
      const sessions = openSessions(nodeFs(root, { durability: 'process' }))
      const session = await sessions.create('s')
      const records = compactedTail(size)
      generateLog(root, 'session/s/0', size, () => records.next().value as string)
      await (await session.fork({ id: 'f' })).fork({ id: 'ff' })
      await sessions.close()
      for (const id of ['s', 'ff']) {
        const { system, take } = measuredSystem()
        const cold = openSessions(openNodeFs(root, {}, system))
        const { messages, bytes } = await (await cold.open(id)).context()
        const { bytesRead = 0, read: _reads, fstat: _looks, ...calls } = take()
        await cold.close()
        expect(messages).toHaveLength(51)
        expect(bytesRead).toBeLessThanOrEqual(2 * bytes + 256 * KIB)
        costs.set(id, [...(costs.get(id) ?? []), { calls, bytesRead }])
      }
    }
    for (const [first, ...others] of costs.values()) {
      for (const { calls, bytesRead } of others) {
        expect(calls).toEqual(first!.calls)
        expect(Math.abs(bytesRead - first!.bytesRead)).toBeLessThanOrEqual(64 * KIB)
      }
    }
  })
})
