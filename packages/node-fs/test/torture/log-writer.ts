import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { SessionError } from '@sessiontree/core'
import { localFileSystem } from '../../src/file-system.ts'
import { openNodeFs } from '../../src/node-fs.ts'
import { cuttingSystem } from './cutting-system.ts'
import { batchOf } from './records.ts'
import { Testimony } from './testimony.ts'

/** What a process that runs this file does. */
export interface LogWriterPlan {
  readonly root: string
  readonly log: string
  readonly durability: 'disk' | 'process'
  /** In every attempt; no two processes have the same. */
  readonly name: string
  readonly testimony: string
  /** How many appends must be acknowledged before it ends. */
  readonly appends: number
  /** Whether it goes on until it is released, too. */
  readonly staysUntilReleased?: boolean
  /** Up to how many milliseconds it waits between two appends. */
  readonly longestPause?: number
  /** Cuts one write in so many, and dies. */
  readonly cutsOneIn?: number
  /** The most records in a batch. Default 1. */
  readonly largestBatch?: number
}

const { root, log, durability, name, testimony, appends, ...plan } = JSON.parse(process.argv[2] ?? '') as LogWriterPlan
const { staysUntilReleased = false, longestPause = 0, cutsOneIn, largestBatch = 1 } = plan
const adapter = openNodeFs(root, { durability }, cutsOneIn ? cuttingSystem(cutsOneIn) : localFileSystem)
const says = new Testimony(testimony)
const released = new AbortController()
if (staysUntilReleased) process.stdin.resume().on('end', () => released.abort())
else released.abort()
process.stdout.write('up\n')

let at = 0
for (let i = 0; i < appends || !released.signal.aborted; i++) {
  // Now and then a record that takes the kernel a while to copy.
  const padding = largestBatch > 1 && randomInt(100) === 0 ? randomInt(20_000) : randomInt(200)
  const attempt = `${name} append ${i} ${1 + randomInt(largestBatch)} ${padding}`
  const batch = batchOf(attempt)
  says.attempts(attempt)
  for (;;) {
    try {
      await adapter.append(log, at, batch)
      break
    } catch (error) {
      if (!SessionError.is(error, 'CONFLICT')) throw error
      at = error.atLeast ?? 0
    }
  }
  says.acknowledges(attempt, at)
  at += batch.length
  if (longestPause > 0) await pause(randomInt(longestPause + 1))
}
await adapter.close()
