import { eventResponse, openEvents, openEventsReadOnly } from '@sessiontree/events'
import { memory } from '@sessiontree/memory'

const adapter = memory() // or nodeFs('./store'), indexedDb('app'), s3({ … })
const events = await openEvents(adapter, 'support-42')

const { sequence, cursor } = await events.recordPersisted({
  turnId: 'turn-1',
  type: 'tool_call',
  agentName: 'coder',
  content: { tool: 'bash', command: 'npm test' },
})
await events.recordTokenUsage({ turnId: 'turn-1', inputTokens: 1200, costAmount: 0.004, costCurrency: 'EUR' })
await events.recordHookRun({
  hookName: 'no-network',
  event: 'tool.pre_call',
  source: 'config',
  mode: 'sync',
  duration: 1_200_000,
  outcome: 'applied',
})
await events.record({ turnId: 'turn-1', type: 'session_end', agentName: 'coder', content: null })

const latest = await events.query({ type: 'tool_call', limit: 20 }) // the latest 20, oldest of them first
for (const turn of await events.history()) console.log(turn.turnId, turn.events.length)
console.log(sequence, latest.length, await events.tokenTotals())

// Elsewhere: read on from the last event that was seen, whoever writes.
const reader = await openEventsReadOnly(adapter, 'support-42')
for await (const event of reader.follow({ after: cursor })) {
  console.log(event.sequence, event.type)
  if (event.type === 'session_end') break
}

export const GET = (request: Request) => eventResponse(reader, request) // server-sent events
