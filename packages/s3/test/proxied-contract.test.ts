import { cases, runCase, sessionContract, type ContractCase, type Harness } from '@sessiontree/contract'
import { raceRun } from '@sessiontree/contract/history'
import { startFaultProxy, type FaultProxy } from '@sessiontree/s3-stub/fault-proxy'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contractStore } from './contract-store.ts'
import { briskClock } from './processes/place.ts'
import { noServer, realPlace, serverIsRequired, serverName, type Place } from './servers.ts'

// The cases about uncertain outcomes, racing, handles and turns, with something going wrong in every fifth request on the way to a real server.

const SEED = Number(process.env['SESSIONTREE_S3_SEED'] ?? 1)
// Not `drop`: what is forgotten leaves nothing that keeps late duplicates out, as the contract says.
const GROUPS = new Set(['append', 'uncertain', 'handles', 'document'])
const SESSION_CASES = [
  'session/together',
  'session/two-handles',
  'session/lost-answer',
  'session/crash',
  'session/update',
  'tree:33',
  'tree:33/racers',
  // Turns: who holds a session, who takes it over, and what a process does that comes back cold.
  'tree:26',
  'tree:27',
  'tree:28',
  'tree:28/takeover',
  'tree:29',
  'tree:34',
  'tree:35',
  'tree:36',
]

const chosen: readonly ContractCase[] = [
  ...cases.filter(({ group, needs = [] }) => GROUPS.has(group) && !needs.includes('openFailingNextFlush')),
  ...sessionContract.filter(({ id }) => SESSION_CASES.includes(id)),
]

test('the chosen cases are there', () => {
  const ids = new Set(chosen.map(({ id }) => id))
  expect(SESSION_CASES.filter((id) => !ids.has(id))).toEqual([])
  for (const group of GROUPS) expect(chosen.some((one) => one.group === group)).toBe(true)
})

describe.skipIf(noServer && !serverIsRequired)(`${serverName} through a network with faults, seed ${SEED}`, () => {
  let place: Place
  beforeAll(async () => void (place = await realPlace()))
  const seen: Pick<FaultProxy, 'requests' | 'faults'>[] = []

  /** Gives the work a network of its own, so that the same happens in it whatever runs beside it. */
  async function throughFaults(seed: number, work: (harness: Harness) => Promise<unknown>): Promise<void> {
    const target = String(process.env['S3_TEST_ENDPOINT'])
    await using proxy = await startFaultProxy({ target, seed, rate: 0.2, mostInARow: 2, delay: 20 })
    await work({
      name: 's3 through faults',
      lacks: { openFailingNextFlush: 'a server answers or does not' },
      async create() {
        const store = await contractStore(place, 3, { clock: briskClock }, proxy.endpoint)
        return {
          ...store,
          async destroy() {
            await proxy.settled()
            await store.destroy()
          },
        }
      },
    })
    seen.push(proxy)
  }

  // Mostly waiting.
  describe.concurrent('cases', () => {
    test.each(chosen.map((one, index) => [one.id, one, SEED * 1000 + index] as const))(
      '%s',
      async (_, one, seed) => {
        await throughFaults(seed, async (harness) => {
          expect(await runCase(harness, one)).toEqual({ skipped: undefined })
        })
      },
      120_000,
    )

    test('callers race on logs and documents, and their history agrees', async () => {
      await throughFaults(SEED, async (harness) => {
        const { events } = await raceRun(harness, { seed: SEED, actors: 3, calls: 25 })
        expect(events.length).toBeGreaterThan(100)
      })
    }, 120_000)
  })

  afterAll(() => {
    // It was no quiet run.
    const faults: Record<string, number> = {}
    for (const one of seen) {
      for (const [fault, count] of Object.entries(one.faults)) faults[fault] = (faults[fault] ?? 0) + count
    }
    expect(Object.keys(faults).length).toBeGreaterThanOrEqual(10)
    console.log(`${seen.reduce((sum, { requests }) => sum + requests, 0)} requests; ${JSON.stringify(faults)}`)
  })
})
