import { formatHistory, openInvocations } from '@sessiontree/invocations'
import { memory } from '@sessiontree/memory'

const adapter = memory() // or nodeFs('./store'), sqlite('store.db'), indexedDb('app'), s3({ … })
const log = openInvocations(adapter)

await log.append('support-42', {
  skill: 'tdd',
  phase: 'red',
  input: { file: 'login.ts' },
  attempts: [
    { model: 'small', output_summary: 'The test still passes.', verified: false },
    { model: 'large', output_summary: 'The test fails as it should.', verified: true },
  ],
})

for await (const { skill, final_status } of log.read('support-42')) console.log(skill, final_status) // tdd pass
console.log(await log.passRate({ skill: 'tdd', window: '7d' })) // { pass: 1, fail: 0, skip: 0, pass_rate: 1 }

const { invocations, damage } = await log.readAll('support-42')
console.log(formatHistory(invocations, { excludePhase: 'green' }), damage.length)

// A file of an earlier system: torn lines and long ones are no obstacle.
const file =
  '{"session_id":"old-1","timestamp":"2026-04-18T10:00:00Z","skill":"spec","final_status":"ok"}\n{"session_id":"ol'
console.log(await log.importJsonl(file)) // { imported: 1, damage: [{ line: 2, … }] }
for await (const line of log.exportJsonl('old-1')) console.log(line)
