import { randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { decodeRecord, openSessions, type Entry, type SessionRecord } from '@sessiontree/core'
import { expect, test } from 'vitest'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot, readAll } from '../observed-system.ts'
import { fastClock } from './fast-clock.ts'
import { Child } from './processes.ts'
import { scaled } from './scale.ts'
import type { Said, TurnWorkerPlan } from './turn-worker.ts'

const WORKER = new URL('turn-worker.ts', import.meta.url)
const SESSION = 'race'
const MILLISECONDS = scaled(8_000, 60_000)
const TERMINAL = new Set(['completed', 'waiting', 'failed', 'aborted'])

/** A worker that is killed at random and started again, and stopped for longer than its lease lasts, until the time is over. */
async function unsteady(
  name: string,
  place: { readonly root: string; readonly start: number; readonly until: number },
) {
  const { root, start, until } = place
  const testimony = join(root, '..', `${name}.testimony`)
  let [kills, stops] = [0, 0]
  while (Date.now() < until) {
    const plan: TurnWorkerPlan = { root, session: SESSION, name: `${name}.${kills}`, testimony, start }
    const child = new Child(WORKER, plan)
    await child.up()
    // It may be gone before: workers also kill themselves.
    await Promise.race([child.ended(), pause(randomInt(2500))])
    if (randomInt(2) === 0) {
      stops++
      await child.stopFor(randomInt(800))
      await Promise.race([child.ended(), pause(randomInt(300))])
    }
    child.kill()
    expect(await child.ended()).toMatchObject({ signal: 'SIGKILL', errors: '' })
    kills++
  }
  return { testimony, kills, stops }
}

const statusOf = ({ content }: SessionRecord) =>
  content.type === 'turn_marker' ? String(content['status']) : undefined

test(
  `two processes race for the turns of a session, killed and stopped at random, for ${MILLISECONDS / 1000} s`,
  { timeout: MILLISECONDS + 120_000 },
  async () => {
    const [root, start] = [freshRoot(), Date.now()]
    const clock = fastClock(start)
    const adapter = nodeFs(root)
    const session = await openSessions(adapter, { clock }).create(SESSION)
    const place = { root, start, until: start + MILLISECONDS }
    const workers = await Promise.all([unsteady('a', place), unsteady('b', place)])

    // The last holder is dead; its lease runs out.
    await pause(500)
    await session.recover()
    expect(await session.recover()).toEqual(await session.recover())
    expect(await session.activeTurn()).toBeUndefined()

    const log = (await adapter.get('session/race'))!.value
    const { incarnation } = JSON.parse(log) as { incarnation: number }
    const name = `session/race/${incarnation}`
    const records = (await readAll(adapter, name)).map((text, at) => decodeRecord(text, [0, at], name))
    const said = workers.flatMap(({ testimony }) =>
      existsSync(testimony)
        ? readFileSync(testimony, 'utf8')
            .split('\n')
            .slice(0, -1)
            .map((line) => JSON.parse(line) as Said)
        : [],
    )

    // No acknowledged entry lost, each where it was said to be.
    for (const each of said) {
      if (each.what === 'stored') expect(records[each.at]).toMatchObject({ id: each.entry, turnId: each.turn })
    }
    // Epochs rise, and no turn has that of another one.
    const epochs = records.map(({ state }) => state.epoch)
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
    const started = records.filter((record) => statusOf(record) === 'started')
    expect(new Set(started.map(({ state }) => state.epoch)).size).toBe(started.length)
    for (const each of said) {
      if (each.what === 'begun')
        expect(started.find(({ turnId }) => turnId === each.turn)?.state.epoch).toBe(each.epoch)
    }
    // Every turn has one end, and it is the one that was acknowledged.
    const ends = new Map<string | undefined, string[]>()
    for (const record of records) {
      const status = statusOf(record)
      if (status && TERMINAL.has(status)) ends.set(record.turnId, [...(ends.get(record.turnId) ?? []), status])
    }
    expect(ends.size).toBe(started.length)
    for (const { turnId } of started) expect(ends.get(turnId)).toHaveLength(1)
    for (const each of said) if (each.what === 'ended') expect(ends.get(each.turn)).toEqual([each.status])
    // Between its beginning and its end there is nothing of another turn.
    let open: string | undefined
    for (const record of records) {
      const status = statusOf(record)
      if (status === 'started') expect(open).toBeUndefined()
      if (status === 'started') open = record.turnId
      expect(record.turnId).toBe(open)
      if (status && TERMINAL.has(status)) open = undefined
    }
    const path: Entry[] = []
    for await (const entry of session.path()) path.push(entry)
    expect(path).toHaveLength(records.length)
    expect((await session.verify()).ok).toBe(true)

    const count = (what: Said['what']) => said.filter((each) => each.what === what).length
    const interrupted = records.filter(
      ({ content }) => content.type === 'run_failure' && String(content['error']).includes('interrupted'),
    ).length
    const kills = workers.reduce((sum, each) => sum + each.kills, 0)
    const stops = workers.reduce((sum, each) => sum + each.stops, 0)
    console.log(
      `${started.length} turns, ${count('stored')} acknowledged entries, ${count('ended')} acknowledged ends, ${interrupted} closed by others, ` +
        `${count('lost')} lost leases, ${kills} kills, ${stops} stops`,
    )
    expect(count('stored')).toBeGreaterThan(10)
    expect(interrupted).toBeGreaterThan(0)
  },
)
