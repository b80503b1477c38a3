import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sqlite } from '@sessiontree/sqlite'
import type { Setting } from './by-hand.ts'
import { measure, table, type Contestant } from './measure.ts'
import { bareInsert, bareInserts, INSERT, LOG, openByHand, synchronousOf } from './sqlite-by-hand.ts'

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: tmpdir() },
    records: { type: 'string', default: '1000' },
    history: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '7' },
  },
})
const records = Number(values.records)
const history = Number(values.history)
const rounds = Number(values.rounds)
for (const [name, count] of Object.entries({ records, history, rounds })) {
  if (!Number.isInteger(count) || count < 1) throw new TypeError(`${name}: expected a whole number from 1`)
}

const folder = mkdtempSync(join(values.folder, 'sessiontree-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let folders = 0
const setting: Setting = {
  records,
  together: 64,
  recordAt: (at) => ({ at, content: 'x'.repeat(980) }),
  freshFolder: () => mkdtempSync(join(folder, `${folders++}-`)),
}

/** Appends of the adapter, one by one or many at once. */
function appends(durability: 'disk' | 'process', atOnce: number): Contestant {
  return {
    name: `adapter, ${synchronousOf[durability]}, ${atOnce === 1 ? 'one by one' : `${atOnce} at once`}`,
    floor: bareInsert(durability, atOnce),
    async prepare() {
      const adapter = sqlite(join(setting.freshFolder(), 'sessions.db'), { durability })
      await adapter.append(LOG, 0, ['"the log exists and is open"'])
      const texts = Array.from({ length: records }, (_, at) => JSON.stringify(setting.recordAt(at)))
      return {
        async run() {
          for (let at = 0; at < records; at += atOnce) {
            const wave = texts.slice(at, at + atOnce)
            await Promise.all(wave.map((text, i) => adapter.append(LOG, 1 + at + i, [text])))
          }
          return records
        },
        end: () => adapter.close(),
      }
    },
  }
}

const TAIL = 256
const ROUNDS_OF_READS = 100
const ONE_SELECT = `one SELECT, the last ${TAIL} of ${history}`

/** The newest records of a long log, read again and again from an open handle. */
async function tails(): Promise<readonly Contestant[]> {
  const files = setting.freshFolder()
  const byHand = openByHand(join(files, 'bare.db'), 'process')
  const insert = byHand.prepare(INSERT)
  const adapter = sqlite(join(files, 'sessions.db'), { durability: 'process' })
  for (let at = 0; at < history; at += 1_000) {
    const texts = Array.from({ length: Math.min(1_000, history - at) }, (_, i) =>
      JSON.stringify(setting.recordAt(at + i)),
    )
    byHand.exec('BEGIN')
    for (const [i, text] of texts.entries()) insert.run(LOG, at + i, text)
    byHand.exec('COMMIT')
    await adapter.append(LOG, at, texts)
  }
  const select = byHand.prepare(`SELECT at, text FROM records WHERE log = ? ORDER BY at DESC LIMIT ${TAIL}`)
  return [
    {
      name: ONE_SELECT,
      prepare: () => ({
        run() {
          let count = 0
          for (let i = 0; i < ROUNDS_OF_READS; i++) count += select.all(LOG).length
          return count
        },
      }),
    },
    {
      name: `adapter, read: the last ${TAIL} of ${history}`,
      floor: ONE_SELECT,
      prepare: () => ({
        async run() {
          let count = 0
          for (let i = 0; i < ROUNDS_OF_READS; i++) {
            const range = { reverse: true, limit: TAIL, readAhead: TAIL * 1_024 }
            for await (const batch of adapter.read(LOG, range)) count += batch.records.length
          }
          return count
        },
      }),
    },
  ]
}

const contestants = [
  ...bareInserts(setting),
  appends('process', 1),
  appends('process', setting.together),
  appends('disk', 1),
  appends('disk', setting.together),
  ...(await tails()),
]
const results = await measure(contestants, rounds)
console.log(
  `${records} records of 1 kB, medians of ${rounds} rounds, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}, ${folder}\n`,
)
console.log(table(results))
