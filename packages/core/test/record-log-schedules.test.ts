import { faulty } from '@sessiontree/contract'
import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'
import { RecordHome, SessionError, type StorageAdapter } from '../src/index.ts'
import { seededClock, seededRandom } from './seeded.ts'

const RATES = { unsent: 0.1, lost: 0.12, late: 0.08, refused: 0.05, unread: 0.03 }
const STEPS = 40

interface Note {
  readonly id: string
  /** The index that `derive` was told. */
  readonly at: number
  readonly incarnation: number
}

/** Plays one schedule: three handles append through faults, some aborted, while the home is cleared under them. */
async function play(seed: number) {
  const store = new MemoryStore()
  // The name of a dropped log is free again, as on a file system.
  const isFree = seed % 2 === 1
  if (isFree) store.dropped.add = () => store.dropped
  const random = seededRandom(seed * 7919)
  const pick = (count: number) => (random.bytes(1)[0] as number) % count
  const plain = memory({ store })
  const open = (number: number, adapter: StorageAdapter = plain) =>
    new RecordHome(
      {
        adapter,
        kind: 'notes',
        logs: ['note', 'tag'],
        random: seededRandom(seed * 100 + number),
        clock: seededClock(),
      },
      'h',
    ).createWith()
  await open(0).look()
  const homes = [1, 2, 3].map((number) =>
    open(number, faulty(plain, { seed: seed * 10 + number, rates: RATES }).adapter),
  )

  const acknowledged = new Map<string, { at: number; incarnation: number; calledIn: number }>()
  const refused = new Set<string>()
  const calls: Promise<unknown>[] = []
  let clearedTo = 0
  for (let step = 0; step < STEPS; step++) {
    const home = homes[pick(3)]!
    const id = `n${step}`
    const what = pick(12)
    if (what < 10) {
      const controller = new AbortController()
      const calledIn = clearedTo
      const derive = ({ length: at, incarnation }: { length: number; incarnation: number }) => [{ id, at, incarnation }]
      calls.push(
        home
          .log<Note>('note')
          .append(derive, controller.signal)
          .then(
            ([stored]) => acknowledged.set(id, { at: stored!.at, incarnation: stored!.incarnation, calledIn }),
            (error: unknown) => SessionError.is(error, 'UNCERTAIN') || refused.add(id),
          ),
      )
      if (pick(6) === 0) void ticks(pick(40)).then(() => controller.abort(new Error('enough')))
    } else if (what === 10) {
      calls.push(
        home.clear(isFree ? {} : { keepFor: 0 }).then(
          (number) => (clearedTo = Math.max(clearedTo, number)),
          () => {},
        ),
      )
    } else calls.push(Array.fromAsync(home.log('note').read()).catch(() => {}))
    await ticks(pick(40))
  }
  await Promise.all(calls)
  const last = open(4)
  // Finishes a clear that was interrupted.
  await last.log<{ end: true }>('tag').append([{ end: true }])
  await last.log<Note>('note').append(({ length: at, incarnation }) => [{ id: 'last', at, incarnation }])
  const { incarnation } = await last.look()
  return { stored: await Array.fromAsync(last.log<Note>('note').read()), incarnation, acknowledged, refused }
}

async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick++) await Promise.resolve()
}

test('what was acknowledged is there once, where it was said; what was rejected is not; a clear takes nothing that came after it', async () => {
  let kept = 0
  let clears = 0
  for (let seed = 1; seed <= 150; seed++) {
    const { stored, incarnation, acknowledged, refused } = await play(seed)
    const places = new Map(stored.map(({ at, value }) => [value.id, at]))
    expect(places.size, `seed ${seed}: nothing twice`).toBe(stored.length)
    for (const { at, value } of stored) {
      expect(value, `seed ${seed}: what derive saw`).toMatchObject({ at, incarnation })
      expect(refused.has(value.id), `seed ${seed}: ${value.id} was rejected`).toBe(false)
    }
    for (const [id, told] of acknowledged) {
      expect(told.incarnation, `seed ${seed}: ${id} came after a clear`).toBeGreaterThanOrEqual(told.calledIn)
      if (told.incarnation !== incarnation) continue
      expect(places.get(id), `seed ${seed}: ${id}`).toBe(told.at)
      kept++
    }
    clears += incarnation
  }
  expect(kept).toBeGreaterThan(500)
  expect(clears).toBeGreaterThan(100)
})
