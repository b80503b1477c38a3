import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openSessions, type Entry, type RoleMessage, type Session } from '../src/index.ts'
import { openPlace, PLACES } from './followed-place.ts'

const WRITER = fileURLToPath(new URL('followed-writer.ts', import.meta.url))
/** Each writer but the last one, which ends by itself, is killed when it has said so many numbers. */
const WRITERS = [70, 80, 60]

/** Runs a writer until it is killed, or ends by itself; resolves with how it ended. */
async function write(place: string, folder: string, told: string[], { count, dies }: { count: number; dies: boolean }) {
  const args = ['--conditions=@sessiontree/source', WRITER, place, folder, ...(dies ? [] : [String(count)])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
  let left = count
  for await (const line of createInterface({ input: child.stdout })) {
    told.push(line)
    // It is in the middle of what follows, however late this comes.
    if (--left === 0 && dies) child.kill('SIGKILL')
  }
  return ended
}

const numberOf = (entry: Entry<RoleMessage>) => String((entry as { message?: RoleMessage }).message?.['content'])

/** Follows from the beginning to the end; begins anew behind the last one each time it has seen `width`. */
async function follow(session: Session<RoleMessage>, width: number, seen: string[] = []) {
  for (let after: string | null = null; seen.at(-1) !== 'end';) {
    let left = width
    for await (const entry of session.follow({ after })) {
      after = entry.id
      seen.push(numberOf(entry))
      if (--left === 0 || seen.at(-1) === 'end') break
    }
  }
  return seen
}

test.each(PLACES)(
  'over %s a process follows another that is killed and started again: every entry once, in order',
  async (place) => {
    const folder = await mkdtemp(join(tmpdir(), 'sessiontree-follow-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await using adapter = openPlace(place, folder)
    const session = await openSessions(adapter).create('s')
    await using otherAdapter = openPlace(place, folder)
    const other = await openSessions(otherAdapter).open('s')
    const seen: string[] = []
    const staying = follow(session, Infinity, seen)
    const resuming = follow(other, 25)

    const told: string[] = []
    for (const [i, count] of WRITERS.entries()) {
      const dies = i < WRITERS.length - 1
      expect(await write(place, folder, told, { count, dies })).toBe(dies ? 'SIGKILL' : 0)
      // Whoever follows outlives the writer.
      await expect.poll(() => seen.length).toBeGreaterThanOrEqual(told.length)
      if (dies) expect(seen).not.toContain('end')
    }

    expect(await staying).toBe(seen)
    const numbers = Array.from({ length: seen.length - 1 }, (_, i) => String(i))
    expect(seen).toEqual([...numbers, 'end'])
    expect(await resuming).toEqual([...numbers, 'end'])
    // What a writer said is there; of what it had stored when it was killed, it may not have said all.
    expect(numbers).toEqual(expect.arrayContaining(told))
    expect(new Set(told).size).toBe(told.length)
    expect(told.length).toBeGreaterThanOrEqual(WRITERS.reduce((sum, count) => sum + count))
    expect((await session.verify()).ok).toBe(true)
  },
)
