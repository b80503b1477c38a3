import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const STEP = fileURLToPath(new URL('../src/step.ts', import.meta.url))
// The demo's children inherit the environment; a server that the tests of other packages use is none of its business.
const { S3_TEST_ENDPOINT: _endpoint, INIT_CWD: _initCwd, ...env } = process.env

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'node-agent-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(...args: string[]) {
  return startScript(MAIN, ...args)
}

function startScript(script: string, ...args: string[]) {
  const child = spawn(process.execPath, ['--conditions=@sessiontree/source', script, ...args], { env, cwd: folder })
  const run = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (run.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (run.err += text))
  const done = new Promise<Run>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ ...run, code }))
  })
  return { child, run, done }
}

const demo = (...args: string[]) => start(...args).done
const digestIn = ({ out }: Run) => /^ {2}digest {3}([0-9a-f]{64})$/m.exec(out)?.[1]
const processesIn = ({ out }: Run) =>
  [...out.matchAll(/^(record|show): process (\d+)/gm)].map(([, step, id]) => [step, id])

test('--help explains and does nothing', async () => {
  const { code, out, err } = await demo('--help')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('usage: demo [--adapter node-fs|memory|s3]')
})

describe('a generated transcript', () => {
  let digest: string | undefined

  test('memory: both steps in one process, which it says', async () => {
    const run = await demo('--adapter', 'memory')
    expect(run).toMatchObject({ code: 0, err: '' })
    const [record, show] = processesIn(run)
    expect([record?.[0], show]).toEqual(['record', ['show', record?.[1]]])
    expect(run.out).toContain('nothing in it outlives a process')
    digest = digestIn(run)
    expect(digest).toBeDefined()
  })

  test('node-fs: two processes, the same digest, and files that stay', async () => {
    const run = await demo('--', '--dir', 'store')
    expect(run).toMatchObject({ code: 0, err: '' })
    const [record, show] = processesIn(run)
    expect(record?.[1]).not.toBe(show?.[1])
    expect(run.out).toContain('counts match the file: 45 entries')
    expect(run.out).toMatch(/on disk +[\d,]+ +[\d.]+ × content/)
    expect(digestIn(run)).toBe(digest)
    expect((await readdir(join(folder, 'store'))).length).toBeGreaterThan(0)
  })

  test('node-fs: a second time into the same folder needs another id', async () => {
    const { code, err } = await demo('--dir', 'store')
    expect(code).toBe(2)
    expect(err).toMatch(/^node-agent: session "[^"]+" is in .*store already; choose another --id or --dir\n$/)
    const other = await demo('--dir', 'store', '--id', 'other/ŧ')
    expect(other.code).toBe(0)
    expect(digestIn(other)).toBe(digest)
  })

  test('what does not match ends with exit code 1', async () => {
    const recorded = { id: 'other/ŧ', entries: 46, rows: [], leaf: null }
    await writeFile(join(folder, 'recorded.json'), JSON.stringify(recorded))
    const settings = JSON.stringify({ adapter: 'node-fs', dir: join(folder, 'store') })
    const { code, out } = await startScript(STEP, 'show', settings, join(folder, 'recorded.json')).done
    expect(code).toBe(1)
    expect(out).toContain('WRONG: 45 entries are stored, the file has 46')
    expect(out).not.toContain('counts match')
  })

  test('s3: a stub, two processes, the same digest', async () => {
    const run = await demo('--adapter', 's3')
    expect(run).toMatchObject({ code: 0, err: '' })
    expect(run.out).toContain('a stub in this process answers')
    expect(run.out).toMatch(/PutObject +4\d +requests/)
    expect(digestIn(run)).toBe(digest)
  })

  test('the README shows the digest that comes out', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    expect(readme).toContain(digest)
  })
})

test('a transcript of its own, relative to the folder of the command', async () => {
  await writeFile(join(folder, 'v1.jsonl'), generateTranscript({ version: 1, seed: 5 }))
  const run = await demo('--adapter', 'memory', 'v1.jsonl')
  expect(run).toMatchObject({ code: 0, err: '' })
  expect(run.out).toContain('pi version 1')
})

describe('bad input ends with exit code 2, one line, and nothing written', () => {
  test.each([
    ['a missing file', ['none.jsonl'], undefined, /none\.jsonl: there is no such file$/],
    ['a folder', ['.'], undefined, /it is a folder$/],
    ['a picture', ['bad.jsonl'], Buffer.from([0x89, 0x50, 0xff, 0xfe]), /not a pi session: it is no text in UTF-8$/],
    ['a cut line', ['bad.jsonl'], generateTranscript().slice(0, -9), /bad\.jsonl: line 46: not JSON/],
    ['an unknown adapter', ['--adapter', 'gopher'], undefined, /unknown adapter "gopher"; use node-fs, memory, s3$/],
  ])('%s', async (_what, args, content, message) => {
    if (content !== undefined) await writeFile(join(folder, 'bad.jsonl'), content)
    const { code, out, err } = await demo('--dir', 'untouched', ...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err.trimEnd()).toMatch(message)
    expect(err).toMatch(/^node-agent: [^\n]*\n$/)
    expect(await readdir(folder)).not.toContain('untouched')
  })
})

// Long enough that a signal comes in the middle; flushed to disk each time.
function longTranscript(): string {
  const header = { type: 'session', version: 3, id: 'long', timestamp: '2026-01-01T00:00:00.000Z' }
  const lines = Array.from({ length: 20_000 }, (_, i) => ({
    type: 'message',
    id: `e${i}`,
    parentId: i === 0 ? null : `e${i - 1}`,
    message: { role: 'user', content: `number ${i}` },
  }))
  return [header, ...lines].map((line) => JSON.stringify(line)).join('\n')
}

test.skipIf(process.platform === 'win32')(
  'SIGINT to the demo alone stops the recording between two entries',
  async () => {
    await writeFile(join(folder, 'long.jsonl'), longTranscript())
    const { child, run, done } = start('--dir', 'interrupted', 'long.jsonl')
    await expect.poll(() => run.out, { timeout: 20_000 }).toContain('200 of 20,000 entries')
    child.kill('SIGINT')
    const { code, out, err } = await done
    expect({ code, err }).toEqual({ code: 130, err: '' })
    const stored = Number(/stopped after ([\d,]+) of 20,000 entries/.exec(out)?.[1]?.replaceAll(',', ''))
    expect(stored).toBeGreaterThanOrEqual(200)
    expect(out).not.toContain('show:')
    const { nodeFs } = await import('@sessiontree/node-fs')
    const adapter = nodeFs(join(folder, 'interrupted'))
    let records = 0
    for await (const batch of adapter.read('session/long/0')) records += batch.records.length
    await adapter.close()
    expect(records).toBe(stored)
  },
)

test('ends quietly when its reader has gone', async () => {
  const { child, run, done } = start('--adapter', 'memory')
  child.stdout.once('data', () => child.stdout.destroy())
  await done
  expect(run.err).toBe('')
})
