import { endWithReader, explain } from './exit-code.ts'
import { interruption } from './interrupt.ts'
import { runInOneProcess } from './one-process.ts'
import { databaseIn } from './places.ts'
import { runInProcesses } from './processes.ts'
import { HELP, parseSettings, type Settings } from './settings.ts'
import { terminalColumns } from './terminal.ts'
import { readTranscript } from './transcript-file.ts'
import type { Transcript } from './transcript.ts'

/** What the demo is about to do. */
interface Demo {
  readonly settings: Settings
  readonly transcript: Transcript
  readonly signal: AbortSignal
}

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
  const work = { settings, transcript: await readTranscript(settings.transcript), signal }
  switch (settings.adapter) {
    case 'memory':
      return inThisProcess(work)
    case 's3':
      return process.env['S3_TEST_ENDPOINT'] ? onServer(work) : onStub(work)
    case 'node-fs':
    case 'sqlite':
      return inFolder(work)
  }
}

async function inThisProcess(work: Demo): Promise<number> {
  console.log(
    'memory: nothing in it outlives a process, so all steps run in this one, and an exception takes the place',
  )
  console.log('        of the kill')
  return runInOneProcess({ ...work, print: console.log, columns: terminalColumns() })
}

async function inFolder(work: Demo): Promise<number> {
  const code = await runInProcesses({ ...work, env: process.env, print: console.log })
  if (work.settings.adapter === 'sqlite') {
    const records = "SELECT log, at, text ->> '$.type' FROM log_records"
    if (code === 0) console.log(`\nThe file stays. Look at it: sqlite3 ${databaseIn(work.settings.dir)} "${records}"`)
    return code
  }
  // A torn line is no JSON.
  const filter = work.settings.kill === 'tool' ? '.record.type' : "-R 'fromjson? | .record.type'"
  if (code === 0) console.log(`\nThe files stay. Look at them: jq ${filter} ${work.settings.dir}/log/session/*/*.jsonl`)
  return code
}

async function onServer(work: Demo): Promise<number> {
  console.log(`s3: server ${process.env['S3_TEST_ENDPOINT']}`)
  const code = await runInProcesses({ ...work, env: process.env, print: console.log })
  if (code === 0) console.log(`\nThe objects stay in the bucket, below ${work.settings.dir}.`)
  return code
}

async function onStub(work: Demo): Promise<number> {
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
    return await runInProcesses({ ...work, env, print: console.log })
  } finally {
    await stub.close()
  }
}
