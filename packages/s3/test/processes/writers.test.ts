import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory, recording, type HistoryEvent } from '@sessiontree/contract/history'
import { startFaultProxy } from '@sessiontree/s3-stub/fault-proxy'
import { expect, test } from 'vitest'
import { noServer, openStore, realPlace, serverIsRequired, serverName } from '../servers.ts'
import { monotonic, openOn, type Orders } from './place.ts'

// Processes that append to one session through a network that cuts, loses, doubles and delays. SESSIONTREE_S3_WRITERS="8x500" sets how many
// processes, and how many messages each of them appends.

const [WRITERS = 4, APPENDS = 20] = (process.env['SESSIONTREE_S3_WRITERS'] ?? '4x20').split('x').map(Number)
const SEED = Number(process.env['SESSIONTREE_S3_SEED'] ?? 1)
const ID = 'race'

interface Outcome {
  readonly text: string
  readonly became: 'acknowledged' | 'no' | 'yes' | 'unknown'
  readonly code?: string
}

function run(script: string, orders: Orders): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--conditions=@sessiontree/source', '--no-warnings', join(import.meta.dirname, script)],
    { env: { ...process.env, ORDERS: JSON.stringify(orders) }, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`${script}: ${code ?? signal}`))))
  })
}

test.skipIf(noServer && !serverIsRequired)(
  `${WRITERS} processes append ${APPENDS} messages each to one session of ${serverName}, with a fault in every fifth request`,
  async () => {
    const place = await realPlace()
    await using store = openStore(place)
    const created: HistoryEvent[] = []
    const creator = { actor: 'creator', time: monotonic, write: (event: HistoryEvent) => void created.push(event) }
    await openOn(recording(store.open(), creator)).create(ID)
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-s3-'))
    const target = String(process.env['S3_TEST_ENDPOINT'])
    await using proxy = await startFaultProxy({ target, seed: SEED, rate: 0.2 })
    const began = Date.now()
    const files = Array.from({ length: WRITERS }, (_, i) => join(folder, `writer-${i}`))
    await Promise.all(
      files.map((history, i) =>
        run('writer.ts', {
          place: { bucket: place.bucket, config: { ...place.config, endpoint: proxy.endpoint } },
          prefix: store.prefix,
          id: ID,
          actor: `writer-${i}`,
          count: APPENDS,
          history,
        }),
      ),
    )
    await proxy.settled()
    const seconds = Math.round((Date.now() - began) / 1000)

    const lines = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).flatMap((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as HistoryEvent | Outcome),
    )
    const outcomes = lines.filter((line): line is Outcome => 'became' in line)
    const events = [...created, ...lines.filter((line): line is HistoryEvent => !('became' in line))]
    const session = await openOn(store.open()).open(ID)
    const path: string[] = []
    for await (const { message } of session.path() as AsyncIterable<{ message?: { content: string } }>) {
      if (message) path.push(message.content)
    }
    const { ok, records, problems } = await session.verify()

    // Everybody was told something about each message; each that was acknowledged is there once, none that was not written is.
    expect(outcomes).toHaveLength(WRITERS * APPENDS)
    const told = (became: Outcome['became']) => outcomes.filter((one) => one.became === became).map(({ text }) => text)
    const [acknowledged, unknown] = [told('acknowledged'), told('unknown')]
    expect(new Set(path).size).toBe(path.length)
    expect(path.filter((text) => !unknown.includes(text)).toSorted()).toEqual(acknowledged.toSorted())
    for (let i = 0; i < WRITERS; i++) {
      const own = path.filter((text) => text.startsWith(`writer-${i}-`)).map((text) => Number(text.split('-')[2]))
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
    expect({ ok, problems }).toEqual({ ok: true, problems: [] })
    expect(records).toBe(path.length)
    expect(checkHistory(events)).toEqual([])
    const conflicts = events.filter((event) => 'ended' in event && event.ended?.code === 'CONFLICT').length
    // It was no quiet run.
    expect(conflicts).toBeGreaterThan(0)
    expect(Object.values(proxy.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(WRITERS * APPENDS * 0.2)
    console.log(
      `${serverName}, seed ${SEED}: ${acknowledged.length} acknowledged, ${unknown.length} unknown, ${told('no').length} refused; ` +
        `${path.length} in the session; ${conflicts} conflicts, ${proxy.requests} requests, ${seconds} s; ${JSON.stringify(proxy.faults)}`,
    )
    await rm(folder, { recursive: true })
  },
  60_000 + WRITERS * APPENDS * 1000,
)
