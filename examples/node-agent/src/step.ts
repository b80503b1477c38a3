// One step of the demo as a process of its own; the parent starts it with the step, the settings and a file to hand things over in:
// resume writes there what it found, finish reads there what was done.
import { readFile, writeFile } from 'node:fs/promises'
import { acknowledgeToParent } from './acknowledge.ts'
import { endWithReader, explain, FAILED } from './exit-code.ts'
import { interruption } from './interrupt.ts'
import type { Settings } from './settings.ts'
import { finishStep, recordStep, resumeStep, type Rest, type StepOptions } from './steps.ts'
import { terminalColumns } from './terminal.ts'
import { readTranscript } from './transcript-file.ts'

const [step, settingsText, file] = process.argv.slice(2) as ['record' | 'resume' | 'finish', string, string]

endWithReader()
try {
  const settings = JSON.parse(settingsText) as Settings
  process.exitCode = await run({
    settings,
    transcript: await readTranscript(settings.transcript),
    print: console.log,
    signal: interruption(),
    columns: terminalColumns(),
  })
} catch (error) {
  process.exitCode = explain(error)
}

async function run(options: StepOptions): Promise<number> {
  switch (step) {
    case 'record':
      return record(options)
    case 'resume': {
      const resumed = await resumeStep(options)
      await writeFile(file, JSON.stringify(resumed))
      return resumed.isSound ? 0 : FAILED
    }
    case 'finish':
      return (await finishStep(JSON.parse(await readFile(file, 'utf8')) as Rest, options)) ? 0 : FAILED
  }
}

async function record(options: StepOptions): Promise<number> {
  const { acknowledge, close } = acknowledgeToParent(options.signal)
  try {
    await recordStep(options, acknowledge)
    return 0
  } finally {
    close()
  }
}
