import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { ACKNOWLEDGEMENTS, GO_ON, type Acknowledged } from './acknowledge.ts'
import type { KillPoint } from './kill-point.ts'
import { startStep, type StepProcessOptions } from './step-process.ts'

/** How a recording process ended. */
export interface Recording {
  readonly pid: number | undefined
  /** What it acknowledged, in order, read to the end of its pipe. */
  readonly acknowledged: readonly Acknowledged[]
  /** Its exit code; undefined if it was killed as intended. */
  readonly code: number | undefined
}

/**
 * Starts the recording process and kills it with SIGKILL at the kill point.
 *
 * Contract
 * - One entry at a time: it is told to go on when its acknowledgement has been read, so that at most one more can be under way.
 * - With `duringWrite` it is killed shortly after it was told to go on, wherever that finds it; else while it waits.
 */
export async function recordUntilKilled(
  options: StepProcessOptions,
  killPoint: KillPoint | undefined,
  duringWrite: boolean,
): Promise<Recording> {
  const { child, exited } = startStep(['record'], options, { stdin: 'pipe', more: ['pipe'] })
  const stdin = child.stdin as Writable
  // It may have gone already; its exit code says so.
  stdin.on('error', () => {})
  const acknowledged: Acknowledged[] = []
  let isKilled = false
  try {
    for await (const line of createInterface({ input: child.stdio[ACKNOWLEDGEMENTS] as Readable })) {
      acknowledged.push(JSON.parse(line) as Acknowledged)
      if (isKilled) continue
      if (acknowledged.length !== killPoint?.after) {
        stdin.write(GO_ON)
        continue
      }
      isKilled = true
      if (duringWrite) {
        stdin.write(GO_ON)
        await wait(killPoint.delay)
      }
      child.kill('SIGKILL')
    }
  } finally {
    // It stops when there is nobody to answer it.
    stdin.destroy()
  }
  const { code, killedBy } = await exited
  return { pid: child.pid, acknowledged, code: isKilled && killedBy === 'SIGKILL' ? undefined : code }
}
