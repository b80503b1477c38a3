import { faulty } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { endLog } from '../src/end-log.ts'
import { openSessions, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const RATES = { unsent: 0.1, lost: 0.1, late: 0.08, refused: 0.05, unread: 0.03 }
const STEPS = 30
const user = (content: string) => ({ role: 'user', content })

/** Plays one schedule: three handles append through faults, with aborts, while logs end under them and are repaired. */
async function play(seed: number) {
  const store = new MemoryStore()
  const random = seededRandom(seed * 7919)
  const pick = (count: number) => (random.bytes(1)[0] as number) % count
  const plain = memory({ store })
  const open = (number: number, adapter: StorageAdapter = plain) =>
    openSessions(adapter, { random: seededRandom(seed * 100 + number), clock: seededClock() })
  await open(0).create('s')
  const faults = { armed: false }
  const handles = await Promise.all(
    [1, 2, 3].map((number) => {
      const { adapter: broken } = faulty(plain, { seed: seed * 10 + number, rates: RATES })
      const get: StorageAdapter['get'] = (key, options) => (faults.armed ? broken : plain).get(key, options)
      return open(number, { ...broken, get }).open('s')
    }),
  )
  faults.armed = true

  const acknowledged = new Map<string, number>()
  const refused = new Set<string>()
  const calls: Promise<unknown>[] = []
  const endAndRepair = async (one: number, other: number) => {
    const { incarnation } = JSON.parse((await plain.get('session/s'))?.value ?? '') as { incarnation: number }
    if (pick(2)) {
      await endLog({ adapter: plain, clock: seededClock(), random: seededRandom(one + 1) }, `session/s/${incarnation}`)
    }
    await Promise.allSettled([handles[one]?.repair(), handles[other]?.repair()])
  }
  for (let step = 0; step < STEPS; step++) {
    const number = pick(3)
    const session = handles[number]!
    const id = `e${step}`
    const what = pick(11)
    if (what < 8) {
      const { signal, abort } = abortable()
      const parent = [undefined, undefined, undefined, null, `e${pick(STEPS)}`][pick(5)]
      const onConflict = pick(3) ? 'rebase' : 'reject'
      calls.push(
        session.append(user(id), { id, onConflict, parent, signal }).then(
          ({ position }) => acknowledged.set(id, position[1]),
          (error: unknown) => SessionError.is(error, 'UNCERTAIN') || refused.add(id),
        ),
      )
      if (pick(5) === 0) void ticks(pick(40)).then(abort)
    } else if (what === 8) calls.push(session.context().catch(() => {}))
    else if (what === 9) calls.push(endAndRepair(number, (number + 1) % 3))
    else calls.push(session.moveTo(null).catch(() => {}))
    await ticks(pick(30))
  }
  await Promise.all(calls)
  await (await open(4).open('s')).repair()
  return { session: await open(5).open('s'), acknowledged, refused }
}

function abortable() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) }
}

async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick++) await Promise.resolve()
}

test('what was acknowledged is there once, in its place, and what was rejected is not', async () => {
  let acknowledgements = 0
  for (let seed = 1; seed <= 100; seed++) {
    const { session, acknowledged, refused } = await play(seed)
    const places = new Map<string, number[]>()
    for await (const { id, position } of session.entries()) places.set(id, [...(places.get(id) ?? []), position[1]])
    for (const [id, at] of acknowledged) expect(places.get(id), `seed ${seed}: ${id}`).toEqual([at])
    for (const id of refused) expect(places.get(id), `seed ${seed}: ${id} was rejected`).toBeUndefined()
    expect((await session.verify()).problems, `seed ${seed}`).toEqual([])
    acknowledgements += acknowledged.size
  }
  expect(acknowledgements).toBeGreaterThan(300)
})
