import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { appendFile, rawWrites, type Setting } from './by-hand.ts'
import { measure, table } from './measure.ts'
import { adapterAppends, sessionAppends } from './sessiontree.ts'

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: tmpdir() },
    records: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '7' },
  },
})
const records = Number(values.records)
const rounds = Number(values.rounds)
for (const [name, count] of Object.entries({ records, rounds })) {
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

const contestants = [...rawWrites(setting), appendFile(setting), ...adapterAppends(setting), ...sessionAppends(setting)]
const results = await measure(contestants, rounds)
console.log(
  `${records} records of 1 kB, medians of ${rounds} rounds, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}, ${folder}\n`,
)
console.log(table(results))
