import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAdapter, PLACES } from './places.ts'
import { recordRun } from './run.ts'
import { reportRun } from './report.ts'

const [place = 'sqlite', given] = process.argv.slice(2)
if (!(place in PLACES)) {
  console.error(`usage: main.ts [${Object.keys(PLACES).join(' | ')}] [folder]`)
  process.exit(2)
}
const folder = given ?? (await mkdtemp(join(tmpdir(), 'sessiontree-audit-')))
const task = 'fix-login'
{
  await using adapter = openAdapter(place, folder)
  await recordRun(adapter, task)
}
{
  // Nothing is shared with whoever recorded but the place.
  await using adapter = openAdapter(place, folder)
  for await (const line of reportRun(adapter, task)) console.log(line)
}
if (given) console.log(`\nIt stays in ${folder}.`)
else await rm(folder, { recursive: true })
