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

const NOTHING_MISSING = 'nothing acknowledged is missing, every digest is the one acknowledged'
const demo = (...args: string[]) => start(...args).done
const digestIn = ({ out }: Run) => /^ {2}digest {3}([0-9a-f]{64})$/m.exec(out)?.[1]
const processesIn = ({ out }: Run) =>
  [...out.matchAll(/^(record|resume|finish|show): process (\d+)/gm)].map(([, step, id]) => [step, id])

test('--help explains and does nothing', async () => {
  const { code, out, err } = await demo('--help')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain('usage: demo [--adapter node-fs|sqlite|memory|s3]')
})

describe('a generated transcript', () => {
  let digest: string | undefined

  test('memory: all steps in one process, which it says', async () => {
    const run = await demo('--adapter', 'memory')
    expect(run).toMatchObject({ code: 0, err: '' })
    const [record, ...others] = processesIn(run)
    expect(record?.[0]).toBe('record')
    expect(others).toEqual(['resume', 'finish', 'show'].map((step) => [step, record?.[1]]))
    expect(run.out).toContain('nothing in it outlives a process')
    expect(run.out).toContain(
      'cut: the recording was left after 10 of 45 entries were acknowledged, while the tool ran',
    )
    expect(run.out).toContain(NOTHING_MISSING)
    expect(run.out).not.toContain('SIGKILL')
    digest = digestIn(run)
    expect(digest).toBeDefined()
  })

  test('node-fs: the first process is killed, others go on: the same digest, and files that stay', async () => {
    const run = await demo('--', '--dir', 'store')
    expect(run).toMatchObject({ code: 0, err: '' })
    const [record, resume, finish, show] = processesIn(run)
    expect([record, resume, finish, show].map((step) => step?.[0])).toEqual(['record', 'resume', 'finish', 'show'])
    expect(new Set([record?.[1], resume?.[1], finish?.[1]]).size).toBe(3)
    expect(show?.[1]).toBe(finish?.[1])
    expect(run.out).toContain(
      `kill: process ${record?.[1]} got SIGKILL after 10 of 45 entries were acknowledged, while the tool ran (seed 1)`,
    )
    expect(run.out).toContain('unanswered  edit {"path":"package.json"')
    expect(run.out).toMatch(/back to +[0-9a-f]{7} +assistant_message +The suite builds/)
    expect(run.out).toMatch(/new branch +[0-9a-f]{7} +user_message +Another way/)
    expect(run.out).toMatch(/verify +sound: 13 records, 13 of them entries/)
    expect(run.out).toContain(NOTHING_MISSING)
    expect(run.out).toContain('counts match the file: 45 entries, and 3 of the other branch')
    expect(run.out).toMatch(/on disk +[\d,]+ +[\d.]+ × content/)
    expect(digestIn(run)).toBe(digest)
    expect((await readdir(join(folder, 'store'))).length).toBeGreaterThan(0)

    // Both branches are drawn, and the one that was left is marked: first the one cut off, in the end the other.
    const tree = run.out.slice(run.out.indexOf('new branch'), run.out.indexOf('  path '))
    expect(tree).toMatch(
      /^ {2}├─● .*Then pin the zone of the test run\.\n {2}│ ● .* tool_call .* {2}◁ abandoned\n {2}● /m,
    )
    expect(tree).toMatch(/^ {2}● .*Another way.*\n {2}● .*waiting {2}◀ leaf$/m)
    const finished = run.out.slice(run.out.indexOf('show: '))
    expect(finished).toMatch(/Another way.*\n.*waiting {2}◁ abandoned$/m)
    expect(finished).toMatch(/You are welcome\. {2}◀ leaf$/m)
  })

  test('the seed decides where it is cut off; nothing but ids and times differs', async () => {
    const tame = ({ out }: Run) =>
      out
        .slice(0, out.indexOf('finish:'))
        .replaceAll(/process \d+|[0-9a-f]{7}(?= {2}(?:user_message +Another|turn_marker))/g, '-')
    const runs: Run[] = []
    for (const seed of ['7', '7', '8']) runs.push(await demo('--adapter', 'memory', '--seed', seed))
    const [one, again, other] = runs.map(tame)
    expect(one).toContain(NOTHING_MISSING)
    expect(again).toBe(one)
    expect(other).not.toBe(one?.replace('seed 7', 'seed 8'))
    expect(runs.map(digestIn)).toEqual([digest, digest, digest])
  })

  test('node-fs: a torn line', async () => {
    const run = await demo('--dir', 'torn', '--kill', 'torn', '--seed', '3')
    expect(run).toMatchObject({ code: 0, err: '' })
    expect(run.out).toMatch(/and \d+ of \d+ bytes of another line were left behind the last one/)
    expect(run.out).toContain(NOTHING_MISSING)
    expect(digestIn(run)).toBe(digest)
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
    await writeFile(join(folder, 'rest.json'), JSON.stringify({ from: 45, added: ['not-there'] }))
    const settings = JSON.stringify({ adapter: 'node-fs', dir: join(folder, 'store'), id: 'other/ŧ' })
    const { code, out } = await startScript(STEP, 'finish', settings, join(folder, 'rest.json')).done
    expect(code).toBe(1)
    expect(out).toContain('WRONG: 48 entries are stored, the file has 45')
    expect(out).toContain('WRONG: entry not-there of the other branch is not stored')
    expect(out).not.toContain('counts match')
  })

  test('s3: a stub that outlives the killed process, the same digest', async () => {
    const run = await demo('--adapter', 's3')
    expect(run).toMatchObject({ code: 0, err: '' })
    expect(run.out).toContain('a stub in this process answers')
    expect(run.out).toMatch(/kill: process \d+ got SIGKILL after 10 of 45 entries/)
    expect(run.out).toContain(NOTHING_MISSING)
    expect(run.out).toMatch(/PutObject +3\d +requests/)
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

test('without a tool call it is killed behind any entry; without an entry there is nothing to kill in', async () => {
  const [header, ...lines] = longTranscript().split('\n')
  await writeFile(join(folder, 'plain.jsonl'), [header, ...lines.slice(0, 5)].join('\n'))
  await writeFile(join(folder, 'empty.jsonl'), `${header}\n`)
  const [plain, empty] = await Promise.all([
    demo('--dir', 'plain', 'plain.jsonl'),
    demo('--dir', 'empty', 'empty.jsonl'),
  ])
  expect(plain).toMatchObject({ code: 0, err: '' })
  expect(plain.out).toMatch(/got SIGKILL after \d of 5 entries were acknowledged; no tool is called in it/)
  expect(plain.out).toContain(NOTHING_MISSING)
  expect(empty).toMatchObject({ code: 0, err: '' })
  expect(empty.out).not.toContain('SIGKILL')
  expect(empty.out).toContain('acknowledged 0 ⊆ recovered 0 ⊆ attempted 0')
  expect(empty.out).toContain('counts match the file: 0 entries, and 3 of the other branch')
})

describe('bad input ends with exit code 2, one line, and nothing written', () => {
  test.each([
    ['a missing file', ['none.jsonl'], undefined, /none\.jsonl: there is no such file$/],
    ['a folder', ['.'], undefined, /it is a folder$/],
    ['a picture', ['bad.jsonl'], Buffer.from([0x89, 0x50, 0xff, 0xfe]), /not a pi session: it is no text in UTF-8$/],
    ['a cut line', ['bad.jsonl'], generateTranscript().slice(0, -9), /bad\.jsonl: line 46: not JSON/],
    [
      'a kill that there is not',
      ['--kill', 'softly'],
      undefined,
      /--kill: unknown way "softly"; use tool, write, torn$/,
    ],
    [
      'an unknown adapter',
      ['--adapter', 'gopher'],
      undefined,
      /unknown adapter "gopher"; use node-fs, sqlite, memory, s3$/,
    ],
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
