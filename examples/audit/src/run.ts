import { openSessions, type StorageAdapter } from '@sessiontree/core'
import { openEvents } from '@sessiontree/events'
import { openInvocations } from '@sessiontree/invocations'
import { openLedger } from '@sessiontree/ledger'

/** One thing that the agent does: a call of a tool, after which a check is known. */
interface Step {
  readonly turnId: string
  readonly tool: string
  readonly command: string
  readonly exitCode: number
  readonly output: string
  readonly tokens: { readonly inputTokens: number; readonly outputTokens: number; readonly costAmount: number }
}

const STEPS: readonly Step[] = [
  {
    turnId: 'turn-1',
    tool: 'bash',
    command: 'npm test',
    exitCode: 1,
    output: '1 failed: login',
    tokens: { inputTokens: 1800, outputTokens: 240, costAmount: 0.0091 },
  },
  {
    turnId: 'turn-2',
    tool: 'edit',
    command: 'src/login.ts',
    exitCode: 0,
    output: '1 line changed',
    tokens: { inputTokens: 2600, outputTokens: 310, costAmount: 0.0126 },
  },
  {
    turnId: 'turn-2',
    tool: 'bash',
    command: 'npm test',
    exitCode: 0,
    output: '12 passed',
    tokens: { inputTokens: 4100, outputTokens: 420, costAmount: 0.0187 },
  },
]

/**
 * Runs the agent once, and records everything that it does: the conversation in a session, what happened as events, what it cost, which hooks
 * ran, which skills were invoked, and the evidence that the task is done. All of it on one adapter.
 */
export async function recordRun(adapter: StorageAdapter, task: string): Promise<void> {
  const session = await openSessions(adapter).getOrCreate(task, { title: 'Login fails after midnight' })
  const events = await openEvents(adapter, task)
  const invocations = openInvocations(adapter)
  const ledger = openLedger(adapter, task)

  await ledger.append([
    { type: 'workspace_baseline', status: 'captured', output: ' M 3f2a src/login.ts' },
    { type: 'approval', status: 'approved' },
    { type: 'build', status: 'active' },
  ])
  await session.append({ role: 'user', content: 'Mend the login.' })
  await events.record({ turnId: 'turn-1', type: 'session_start', agentName: 'coder', content: { task } })

  for (const step of STEPS) {
    const { turnId, tool, command, exitCode, output, tokens } = step
    await events.recordHookRun({
      hookName: 'allow-list',
      event: 'tool.pre_call',
      source: 'config',
      mode: 'sync',
      duration: 850_000,
      outcome: 'applied',
    })
    const call = await events.recordPersisted({
      turnId,
      type: 'tool_call',
      agentName: 'coder',
      content: { tool, command },
    })
    await events.record({
      turnId,
      type: 'tool_result',
      agentName: 'coder',
      content: { call: call.id, exitCode, output },
    })
    // Each report says what the turn has used so far.
    await events.recordTokenUsage({ turnId, ...tokens, costCurrency: 'EUR' })
    if (tool !== 'bash') continue
    const status = exitCode === 0 ? 'pass' : 'fail'
    await invocations.append(task, {
      skill: 'test',
      phase: turnId,
      attempts: [{ model: 'small', output_summary: output, verified: exitCode === 0 }],
    })
    await ledger.append({
      type: 'criterion',
      criterion_id: 'tests',
      phase_id: 'mend',
      status,
      command,
      exit_code: exitCode,
      output,
    })
  }

  await session.append({ role: 'assistant', content: 'The session expired at midnight; it does not any more.' })
  await ledger.append([
    { type: 'phase', phase_id: 'mend', status: 'completed' },
    { type: 'build', status: 'review' },
  ])
  // Decided on the ledger as it is: one review at a time, whoever else tries.
  await ledger.append(({ entries }) => {
    const running = entries.findLast(({ type }) => type === 'review_attempt')?.status === 'running'
    return running ? [] : { type: 'review_attempt', status: 'running' }
  })
  await ledger.append([
    { type: 'review', status: 'pass', provider: 'codex', reason: 'one line, and a test for it' },
    { type: 'complete', status: 'completed' },
  ])
  await events.record({ turnId: 'turn-2', type: 'session_end', agentName: 'coder', content: null })
  for (const handle of [events, invocations, ledger]) await handle.close()
}
