import { SessionError } from '@sessiontree/core'
import { localFileSystem } from '../../src/file-system.ts'
import { openNodeFs } from '../../src/node-fs.ts'
import { batchOf } from './records.ts'
import { Testimony } from './testimony.ts'

/** What a process that runs this file does, and says before and after each step. */
export interface FaultedWriterPlan {
  readonly root: string
  readonly durability: 'disk' | 'process'
  readonly testimony: string
}

const LOG = 'a/log'
const KEY = 'a/counter'

const { root, durability, testimony } = JSON.parse(process.argv[2] ?? '') as FaultedWriterPlan
const says = new Testimony(testimony)
// Names and tokens that are the same in every run.
let seed = 0
const random = { bytes: (length: number) => new Uint8Array(length).map(() => (seed = (seed * 75 + 74) % 65_537) % 256) }
const open = () => openNodeFs(root, { durability, random, documentBound: 256 }, localFileSystem)
const first = open()
const second = open()

async function attempt(what: string, step: () => Promise<number>): Promise<boolean> {
  says.attempts(what)
  try {
    says.acknowledges(what, await step())
    return true
  } catch (error) {
    if (!SessionError.is(error)) throw error
    says.rejects(what, error.code)
    return false
  }
}

let at = 0
for (const [i, count] of [1, 1, 3, 1].entries()) {
  const what = `first append ${i} ${count} 20`
  if (await attempt(what, async () => (await first.append(LOG, at, batchOf(what)), at))) at += count
}
for (let i = 0; i < 6; i++) {
  await attempt(`first put ${i}`, () => increment(first, i))
}
// Another handle goes on wherever the first one stopped.
for (let i = 0; i < 2; i++) {
  const what = `second append ${i} 1 20`
  await attempt(what, async () => {
    let end = 0
    for await (const { at: start, records } of second.read(LOG, { reverse: true, limit: 1 }))
      end = start + records.length
    await second.append(LOG, end, batchOf(what))
    return end
  })
}
await attempt('second put', () => increment(second, 6))

async function increment(adapter: typeof first, i: number): Promise<number> {
  const found = await adapter.get(KEY)
  const { count } = found ? (JSON.parse(found.value) as { count: number }) : { count: 0 }
  const value = JSON.stringify({ count: count + 1, i })
  await adapter.put(KEY, value, { expect: found?.version ?? 'absent' })
  return count + 1
}
