import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FAILED } from './exit-code.ts'
import { chooseKillPoint } from './kill-point.ts'
import { judge, whereItWasCut } from './kill-report.ts'
import { recordUntilKilled } from './recording-process.ts'
import { formatNumber, type Print } from './report.ts'
import type { Resumed } from './resume.ts'
import { startStep, type StepProcessOptions } from './step-process.ts'
import { sessionId, type Rest } from './steps.ts'
import { leaveTornLine } from './torn-line.ts'
import type { Transcript } from './transcript.ts'

/**
 * Records in a process that is killed, takes over in another one and finishes in a third. Resolves with the exit code of the first that
 * fails by itself, else 0.
 */
export async function runInProcesses(
  options: StepProcessOptions & { readonly transcript: Transcript; readonly print: Print },
): Promise<number> {
  const { settings, transcript, signal, print } = options
  const { kill, seed } = settings
  const killPoint = chooseKillPoint(transcript.entries, seed)
  const { pid, acknowledged, code } = await recordUntilKilled(options, killPoint, kill === 'write')
  // It ends well by itself only if there was nothing to be killed in, or if whoever reads its output has gone.
  if (code !== undefined && (code !== 0 || killPoint)) return code
  const cut = { transcript, killPoint, kill, acknowledged }
  if (killPoint) print(`\nkill: process ${pid} got SIGKILL ${whereItWasCut(cut)} (seed ${seed})`)
  if (killPoint && kill === 'torn') {
    const { left, of } = await leaveTornLine(settings.dir, sessionId({ settings, transcript }), killPoint.torn)
    print(`      and ${formatNumber(left)} of ${formatNumber(of)} bytes of another line were left behind the last one`)
  }

  const folder = await mkdtemp(join(tmpdir(), 'sessiontree-demo-steps-'))
  const file = join(folder, 'step.json')
  const run = async (step: string) => {
    signal.throwIfAborted()
    return (await startStep([step, file], options).exited).code
  }
  try {
    const resumeCode = await run('resume')
    if (resumeCode !== 0) return resumeCode
    const resumed = JSON.parse(await readFile(file, 'utf8')) as Resumed
    if (!judge(cut, resumed, print)) return FAILED
    const rest: Rest = { from: acknowledged.length, added: resumed.added }
    await writeFile(file, JSON.stringify(rest))
    return await run('finish')
  } finally {
    await rm(folder, { recursive: true })
  }
}
