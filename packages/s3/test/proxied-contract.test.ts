import { cases, runCase, sessionContract, type ContractCase, type Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { startFaultProxy, type FaultProxy } from '@sessiontree/s3-stub/fault-proxy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contractStore } from './contract-store.ts'
import { briskClock } from './processes/place.ts'
import { noServer, realPlace, serverIsRequired, serverName, type Place } from './servers.ts'

// The cases about uncertain outcomes, racing and handles, with something going wrong in every fifth request on the way to a real server.

const SEED = Number(process.env['SESSIONTREE_S3_SEED'] ?? 1)
// Not `drop`: what is forgotten leaves nothing that keeps late duplicates out, as the contract says.
const GROUPS = new Set(['append', 'uncertain', 'handles', 'document'])
const SESSION_CASES = new Set(['session/racers', 'session/lost-answer'])

describe.skipIf(noServer && !serverIsRequired)(`${serverName} through a network with faults, seed ${SEED}`, () => {
  let place: Place
  let proxy: FaultProxy
  beforeAll(async () => {
    place = await realPlace()
    const target = String(process.env['S3_TEST_ENDPOINT'])
    proxy = await startFaultProxy({ target, seed: SEED, rate: 0.2, mostInARow: 2, delay: 20 })
  })
  afterAll(async () => {
    await proxy.settled()
    await proxy.close()
  })

  const harness: Harness = {
    name: 's3 through faults',
    lacks: { openFailingNextFlush: 'a server answers or does not' },
    create: () => contractStore(place, 3, { clock: briskClock }, proxy.endpoint),
  }
  const chosen: readonly ContractCase[] = [
    ...cases.filter(({ group, needs = [] }) => GROUPS.has(group) && !needs.includes('openFailingNextFlush')),
    ...sessionContract.filter(({ id }) => SESSION_CASES.has(id)),
  ]

  test.each(chosen.map((one) => [one.id, one] as const))(
    '%s',
    async (_, one) => {
      await runCase(harness, one)
    },
    120_000,
  )

  test('callers race on logs and documents, and their history agrees', async () => {
    const { events } = await raceRun(harness, { seed: SEED, actors: 3, calls: 25 })
    expect(events.length).toBeGreaterThan(100)
  }, 120_000)

  test('it was no quiet run', () => {
    expect(Object.keys(proxy.faults).length).toBeGreaterThanOrEqual(10)
    console.log(`${proxy.requests} requests; ${JSON.stringify(proxy.faults)}`)
  })
})
