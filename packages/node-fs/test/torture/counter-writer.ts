import { SessionError } from '@sessiontree/core'
import { localFileSystem } from '../../src/file-system.ts'
import { openNodeFs } from '../../src/node-fs.ts'
import { cuttingSystem } from './cutting-system.ts'
import { Testimony } from './testimony.ts'

/** What a process that runs this file does. */
export interface CounterWriterPlan {
  readonly root: string
  readonly key: string
  readonly durability: 'disk' | 'process'
  /** In every attempt; no two processes have the same. */
  readonly name: string
  readonly testimony: string
  /** How many increments must be acknowledged before it ends. */
  readonly increments: number
  /** Cuts one write in so many, and dies. */
  readonly cutsOneIn?: number
}

/** The value of the counter. */
export interface Count {
  readonly count: number
  readonly by: string
}

const { root, key, durability, name, testimony, increments, cutsOneIn } = JSON.parse(
  process.argv[2] ?? '',
) as CounterWriterPlan
const system = cutsOneIn ? cuttingSystem(cutsOneIn) : localFileSystem
const adapter = openNodeFs(root, { durability, documentBound: 2048 }, system)
const says = new Testimony(testimony)
process.stdout.write('up\n')

for (let i = 0; i < increments; i++) {
  const by = `${name} ${i}`
  says.attempts(by)
  for (;;) {
    const found = await adapter.get(key)
    const { count } = found ? (JSON.parse(found.value) as Count) : { count: 0 }
    try {
      await adapter.put(key, JSON.stringify({ count: count + 1, by } satisfies Count), {
        expect: found?.version ?? 'absent',
      })
      says.acknowledges(by, count + 1)
      break
    } catch (error) {
      // Neither left anything behind that counts.
      if (!SessionError.is(error, 'CONFLICT') && !SessionError.is(error, 'BUSY')) throw error
    }
  }
}
await adapter.close()
