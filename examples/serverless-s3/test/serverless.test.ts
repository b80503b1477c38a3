import { readFile } from 'node:fs/promises'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { drive, type DriveOptions } from '../src/drive.ts'
import { openClient, openPlace, type Place } from '../src/place.ts'
import { verifySessions } from '../src/verify-sessions.ts'

const noServer = process.env['S3_TEST_ENDPOINT'] ? '' : ' (skipped: S3_TEST_ENDPOINT is not set; see tools/ceph-rgw.sh)'
const OPTIONS: DriveOptions = { messages: 20, sessions: 3, parallel: 4, kills: 0.2, seed: 3, waitForLease: false }
// Each killed invocation is a process of its own, on a machine that may be busy.
const timeout = 240_000

async function run(useServer: boolean, options: DriveOptions) {
  await using place = await openPlace({ useServer, speed: options.waitForLease ? 10 : 1 })
  const invocations = await drive(place, options)
  const verdict = await verifySessions(place, invocations)
  const count = (outcome: string) => invocations.filter((one) => one.outcome === outcome).length
  return { invocations, verdict, count, options }
}

function expectSound({ verdict, count, options }: Awaited<ReturnType<typeof run>>): void {
  expect(verdict.problems).toEqual([])
  expect(count('answered')).toBe(options.messages)
  // Otherwise nothing was tried.
  expect(count('killed')).toBeGreaterThan(1)
  expect(verdict.interrupted).toBeGreaterThan(0)
}

test('every message is answered once, whichever invocations are killed', { timeout }, async () => {
  const outcome = await run(false, OPTIONS)
  expectSound(outcome)
  expect(outcome.count('held')).toBeGreaterThan(0)
  for (const { usage, dollars } of outcome.invocations.filter(({ outcome: how }) => how === 'answered')) {
    expect(usage.requests.PutObject).toBeGreaterThan(0)
    expect(dollars).toBeGreaterThan(0)
  }
})

test('a message whose invocation was killed may also wait for the lease to run out', { timeout }, async () => {
  expectSound(await run(false, { ...OPTIONS, messages: 6, parallel: 3, kills: 0.5, waitForLease: true }))
})

test.skipIf(noServer)(
  `the same on ${process.env['S3_TEST_SERVER'] ?? 'a server'}${noServer}`,
  { timeout },
  async () => {
    expectSound(await run(true, OPTIONS))
  },
)

test.skipIf(noServer)(`nothing is left on the server${noServer}`, async () => {
  const options = { ...OPTIONS, messages: 1, kills: 0 }
  const listed = async (place: Place) => {
    const client = openClient(place)
    const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix }))
    client.destroy()
    return KeyCount
  }
  let place: Place
  {
    await using open = await openPlace({ useServer: true, speed: 1 })
    await drive(open, options)
    expect(await listed(open)).toBeGreaterThan(0)
    place = open
  }
  expect(await listed(place)).toBe(0)
})

test('the handler and its agent need no Node', async () => {
  for (const file of ['handler.ts', 'scripted-agent.ts']) {
    const source = await readFile(new URL(`../src/${file}`, import.meta.url), 'utf8')
    expect(source).not.toMatch(/from 'node:|\bprocess\b|\bBuffer\b/)
  }
})
