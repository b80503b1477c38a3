import { MemoryStore } from '@sessiontree/memory'
import { endWithReader, explain, FAILED } from './exit-code.ts'
import { interruption } from './interrupt.ts'
import { runInProcesses } from './processes.ts'
import { HELP, parseSettings, type Settings } from './settings.ts'
import { recordStep, showStep } from './steps.ts'
import { terminalColumns } from './terminal.ts'

endWithReader()
try {
  // Scripts of npm and pnpm start in the package's folder; file names are relative to where the command was typed.
  const settings = parseSettings(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd())
  if (settings) process.exitCode = await demo(settings)
  else console.log(HELP)
} catch (error) {
  process.exitCode = explain(error)
}

async function demo(settings: Settings): Promise<number> {
  // Asked twice, it does not wait for what is under way.
  const signal = interruption(({ exitCode }) => process.exit(exitCode))
  if (settings.adapter === 'memory') return inThisProcess(settings, signal)
  if (settings.adapter === 's3') {
    return process.env['S3_TEST_ENDPOINT'] ? onServer(settings, signal) : onStub(settings, signal)
  }
  const code = await runInProcesses({ settings, env: process.env, signal })
  if (code === 0) console.log(`\nThe files stay. Look at them: jq .record.type ${settings.dir}/log/session/*/*.jsonl`)
  return code
}

async function inThisProcess(settings: Settings, signal: AbortSignal): Promise<number> {
  console.log('memory: nothing in it outlives a process, so both steps run in this one')
  const options = { settings, print: console.log, signal, columns: terminalColumns(), store: new MemoryStore() }
  return (await showStep(await recordStep(options), options)) ? 0 : FAILED
}

async function onServer(settings: Settings, signal: AbortSignal): Promise<number> {
  console.log(`s3: server ${process.env['S3_TEST_ENDPOINT']}`)
  const code = await runInProcesses({ settings, env: process.env, signal })
  if (code === 0) console.log(`\nThe objects stay in the bucket, below ${settings.dir}.`)
  return code
}

async function onStub(settings: Settings, signal: AbortSignal): Promise<number> {
  const { startS3Stub } = await import('@sessiontree/s3-stub')
  const stub = await startS3Stub()
  console.log('s3: S3_TEST_ENDPOINT is not set; a stub in this process answers, and forgets everything at the end')
  const env = {
    ...process.env,
    S3_TEST_ENDPOINT: stub.endpoint,
    S3_TEST_REGION: 'us-east-1',
    S3_TEST_BUCKET: 'sessiontree-demo',
    S3_TEST_FORCE_PATH_STYLE: '1',
    S3_TEST_ACCESS_KEY_ID: 'stub',
    S3_TEST_SECRET_ACCESS_KEY: 'stub',
  }
  try {
    return await runInProcesses({ settings, env, signal })
  } finally {
    await stub.close()
  }
}
