// One step of the demo as a process of its own; main.ts starts it with: record|show, the settings, the file of what was recorded.
import { readFile, writeFile } from 'node:fs/promises'
import { endWithReader, explain, FAILED } from './exit-code.ts'
import { interruption } from './interrupt.ts'
import type { Recorded } from './record.ts'
import type { Settings } from './settings.ts'
import { recordStep, showStep, type StepOptions } from './steps.ts'
import { terminalColumns } from './terminal.ts'

const [step, settings, recordedFile] = process.argv.slice(2) as ['record' | 'show', string, string]

endWithReader()
try {
  process.exitCode = await run({
    settings: JSON.parse(settings) as Settings,
    print: console.log,
    signal: interruption(),
    columns: terminalColumns(),
  })
} catch (error) {
  process.exitCode = explain(error)
}

async function run(options: StepOptions): Promise<number> {
  if (step === 'record') {
    await writeFile(recordedFile, JSON.stringify(await recordStep(options)))
    return 0
  }
  const recorded = JSON.parse(await readFile(recordedFile, 'utf8')) as Recorded
  return (await showStep(recorded, options)) ? 0 : FAILED
}
