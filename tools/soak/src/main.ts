import { parseArgs } from 'node:util'
import { PROFILES, type ProfileName } from './profiles.ts'
import { run, type Run, type ScheduleName } from './soak.ts'
import { Summary } from './summary.ts'
import { TARGETS, type TargetName } from './targets.ts'

const USAGE = `usage: npm run soak -- [options]
  --target   ${Object.keys(TARGETS).join(' | ')}   (default: node-fs-simulated)
  --seed     the first seed; the next runs have the next ones   (default: 1)
  --minutes  how long   (default: 1)
  --runs     how many runs, however long they take
  --profile  ${Object.keys(PROFILES).join(' | ')}   (default: as the seed says)
  --schedule store | sessions   (default: as the seed says)
  --keep-going  do not stop after 10 failures
  --trace    print every event`

const values = parseOptions()
const first = Number(values.seed)
const runs = values.runs === undefined ? Infinity : Number(values.runs)
const isKnown =
  Object.hasOwn(TARGETS, values.target) &&
  (values.profile === undefined || Object.hasOwn(PROFILES, values.profile)) &&
  (values.schedule === undefined || ['store', 'sessions'].includes(values.schedule))
if (values.help || !isKnown || !Number.isInteger(first) || !(runs > 0) || !(Number(values.minutes) > 0)) {
  if (!values.help) refuse('an option has a value that is none of these')
  console.log(USAGE)
  process.exit(0)
}

const target = values.target as TargetName
const end = runs === Infinity ? Date.now() + Number(values.minutes) * 60_000 : Infinity
const summary = new Summary(target)
for (let seed = first; seed < first + runs && Date.now() < end; seed++) {
  const result = await run({
    seed,
    target,
    profile: values.profile as ProfileName | undefined,
    schedule: values.schedule as ScheduleName | undefined,
    onEvent: values.trace ? console.log : undefined,
  })
  summary.add(result)
  if (result.violations.length > 0) report(result)
  if (summary.failed >= 10 && !values['keep-going']) break
}
console.log(summary.text())
process.exitCode = summary.failed > 0 ? 1 : 0

function report({ seed, profile, schedule, violations, digest }: Run): void {
  console.log(`FAILED seed ${seed} (${profile}, ${schedule}), events ${digest.slice(0, 16)}`)
  for (const violation of violations.slice(0, 5)) console.log(`  ${violation}`)
  if (violations.length > 5) console.log(`  and ${violations.length - 5} more`)
  const given = [values.profile && `--profile '${profile}'`, values.schedule && `--schedule ${schedule}`].filter(
    Boolean,
  )
  const command = ['npm run soak --', `--target ${target}`, ...given]
  console.log(`  replay: ${command.join(' ')} --seed ${seed} --runs 1 --trace`)
}

function parseOptions() {
  try {
    return parseArgs({
      options: {
        target: { type: 'string', default: 'node-fs-simulated' },
        seed: { type: 'string', default: '1' },
        minutes: { type: 'string', default: '1' },
        runs: { type: 'string' },
        profile: { type: 'string' },
        schedule: { type: 'string' },
        'keep-going': { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function refuse(reason: string): never {
  console.error(`soak: ${reason}\n${USAGE}`)
  process.exit(2)
}
