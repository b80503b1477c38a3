import { MemoryStore } from '@sessiontree/memory'
import type { Acknowledged } from './acknowledge.ts'
import { FAILED } from './exit-code.ts'
import { chooseKillPoint } from './kill-point.ts'
import { judge, whereItWasCut } from './kill-report.ts'
import { finishStep, recordStep, resumeStep, type StepOptions } from './steps.ts'

/** Thrown into a recording in place of a kill. */
class CutOff extends Error {
  override readonly name = 'CutOff'
}

/** All steps in this process, on a store that lives as long: the recording is cut off by an exception where it would be killed. */
export async function runInOneProcess(options: StepOptions): Promise<number> {
  const { settings, transcript, print } = options
  const { kill, seed } = settings
  const killPoint = chooseKillPoint(transcript.entries, seed)
  const shared = { ...options, store: new MemoryStore() }
  const acknowledged: Acknowledged[] = []
  const cut = { transcript, killPoint, kill, acknowledged }
  try {
    await recordStep(shared, async (stored) => {
      acknowledged.push(stored)
      if (acknowledged.length === killPoint?.after) throw new CutOff()
    })
  } catch (error) {
    if (!(error instanceof CutOff)) throw error
    print(`\ncut: the recording was left ${whereItWasCut(cut)} (seed ${seed})`)
  }
  const resumed = await resumeStep(shared)
  if (!judge(cut, resumed, print) || !resumed.isSound) return FAILED
  return (await finishStep({ from: acknowledged.length, added: resumed.added }, shared)) ? 0 : FAILED
}
