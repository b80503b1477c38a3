import { openSessions } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'
import { RAW_FLUSH, RAW_FLUSH_TOGETHER, RAW_WRITE, type Setting } from './by-hand.ts'
import type { Contestant } from './measure.ts'

type Durability = 'disk' | 'process'

/** Appends of the adapter: records that are text already. */
export function adapterAppends({ records, together, recordAt, freshFolder }: Setting): readonly Contestant[] {
  const appends = (durability: Durability, atOnce: number): Contestant => ({
    name: `adapter, ${durability}, ${atOnce === 1 ? 'one by one' : `${atOnce} at once`}`,
    floor: floorOf(durability, atOnce),
    async prepare() {
      const adapter = nodeFs(freshFolder(), { durability })
      await adapter.append('log', 0, ['"the log exists and is open"'])
      const texts = Array.from({ length: records }, (_, at) => JSON.stringify(recordAt(at)))
      return {
        async run() {
          for (let at = 0; at < records; at += atOnce) {
            const wave = texts.slice(at, at + atOnce)
            await Promise.all(wave.map((text, i) => adapter.append('log', 1 + at + i, [text])))
          }
          return records
        },
        end: () => adapter.close(),
      }
    },
  })
  return everyWay(together, appends)
}

/** Appends of a session: messages that become entries, hashed and chained. */
export function sessionAppends({ records, together, recordAt, freshFolder }: Setting): readonly Contestant[] {
  const appends = (durability: Durability, atOnce: number): Contestant => ({
    name: `session, ${durability}, ${atOnce === 1 ? 'one by one' : `${atOnce} at once`}`,
    floor: floorOf(durability, atOnce),
    async prepare() {
      const sessions = openSessions(nodeFs(freshFolder(), { durability }))
      const session = await sessions.create('s')
      await session.append({ role: 'user', content: 'the log exists and is open' })
      const messages = Array.from({ length: records }, (_, at) => ({ role: 'user', ...recordAt(at) }))
      return {
        async run() {
          for (let at = 0; at < records; at += atOnce) {
            await Promise.all(messages.slice(at, at + atOnce).map((message) => session.append(message)))
          }
          return records
        },
        end: () => sessions.close(),
      }
    },
  })
  return everyWay(together, appends)
}

function everyWay(
  together: number,
  appends: (durability: Durability, atOnce: number) => Contestant,
): readonly Contestant[] {
  return [appends('process', 1), appends('process', together), appends('disk', 1), appends('disk', together)]
}

function floorOf(durability: Durability, atOnce: number): string {
  if (durability === 'process') return RAW_WRITE
  return atOnce === 1 ? RAW_FLUSH : RAW_FLUSH_TOGETHER
}
