import { parseArgs } from 'node:util'
import { drive } from './drive.ts'
import { openPlace } from './place.ts'
import { invocationLine, summaryLines } from './report.ts'
import { verifySessions } from './verify-sessions.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    messages: { type: 'string', default: '200' },
    sessions: { type: 'string', default: '20' },
    parallel: { type: 'string', default: '8' },
    kills: { type: 'string', default: '0.15' },
    seed: { type: 'string', default: '1' },
    lease: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    server: { type: 'boolean', default: process.env['S3_TEST_ENDPOINT'] !== undefined },
  },
})
const number = (name: 'messages' | 'sessions' | 'parallel' | 'kills' | 'seed', least: number): number => {
  const value = Number(values[name])
  if (value >= least && (name === 'kills' ? value <= 1 : Number.isSafeInteger(value))) return value
  console.error(
    `--${name}: ${values[name]} will not do; expected ${name === 'kills' ? 'a share from 0 to 1' : 'a whole number'}`,
  )
  process.exit(2)
}
const options = {
  messages: number('messages', 1),
  sessions: number('sessions', 1),
  parallel: number('parallel', 1),
  kills: number('kills', 0),
  seed: number('seed', 0),
  waitForLease: values.lease,
}
await using place = await openPlace({ useServer: values.server, speed: values.lease ? 10 : 1, keep: values.keep })
console.log(`${place.endpoint} ${place.bucket}/${place.prefix}, seed ${options.seed}`)
const invocations = await drive(place, { ...options, onInvocation: (one) => console.log(invocationLine(one)) })
const verdict = await verifySessions(place, invocations)
for (const line of summaryLines(invocations, verdict)) console.log(line)
if (verdict.problems.length > 0) process.exitCode = 1
