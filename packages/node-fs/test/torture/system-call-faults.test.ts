import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SessionError } from '@sessiontree/core'
import { describe, expect, test } from 'vitest'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot, readAll } from '../observed-system.ts'
import { checkHistory } from './records.ts'
import { isFull } from './scale.ts'
import { straceIsMissing, traced, type Fault, type Traced } from './strace.ts'
import { readTestimony, type Statement } from './testimony.ts'

const WRITER = new URL('faulted-writer.ts', import.meta.url)
const LOG = 'a/log'
const KEY = 'a/counter'
const AT_ONCE = 2

// The signal comes before the call: what a kill behind it leaves, the one before the next call leaves too.
const EFFECTS = ['error=EIO', 'signal=KILL']
const CALLS = ['write', 'fdatasync', 'fsync', 'rename', 'link', 'unlink', 'mkdir', ...(isFull ? ['open'] : [])]
// Renaming and tidying up come behind the commit, and are left to whoever comes next.
const MUST_BE_TOLD: ReadonlySet<string> = new Set(['write', 'fdatasync', 'fsync', 'link', 'mkdir'])

const missing = straceIsMissing()
const isRequired = (process.env['SESSIONTREE_REQUIRE'] ?? '').split(',').includes('strace')

if (isRequired) {
  test('strace is there, as SESSIONTREE_REQUIRE demands', () => {
    expect(missing).toBeUndefined()
  })
}

/** Runs the writer in a folder of its own, with the store in it. */
class Scene {
  readonly root: string
  readonly #folder: string
  readonly #durability: 'disk' | 'process'

  constructor(folder: string, durability: 'disk' | 'process') {
    mkdirSync(folder)
    this.#folder = folder
    this.#durability = durability
    this.root = join(folder, 'store')
  }

  run(options: {
    readonly calls: readonly string[]
    readonly paths?: readonly string[]
    readonly fault?: Fault
  }): Promise<Traced> {
    const plan = { root: this.root, durability: this.#durability, testimony: this.#testimony }
    return traced(WRITER, plan, { ...options, output: join(this.#folder, 'trace') })
  }

  get #testimony(): string {
    return join(this.#folder, 'testimony')
  }

  statements(): readonly Statement[] {
    return readTestimony(this.#testimony)
  }
}

const isAbout = (what: string) => (line: Statement) => Object.values(line).some((value) => String(value).includes(what))

/** Throws unless the store holds what its writer says, and goes on. */
async function checkStore(root: string, statements: readonly Statement[]): Promise<void> {
  const adapter = nodeFs(root)
  const recovered = await readAll(adapter, LOG)
  checkHistory(recovered, statements.filter(isAbout('append')))
  await adapter.append(LOG, recovered.length, ['"and it goes on"'])

  const puts = statements.filter(isAbout('put'))
  const acknowledged = puts.flatMap((line) => ('acknowledged' in line ? [line.at] : []))
  const found = await adapter.get(KEY)
  const { count } = found ? (JSON.parse(found.value) as { count: number }) : { count: 0 }
  const attempted = puts.filter((line) => 'attempt' in line).length
  if (new Set(acknowledged).size < acknowledged.length)
    throw new Error(`two puts were told one count: ${acknowledged.join()}`)
  if (Math.max(0, ...acknowledged) > count || acknowledged.length > count || count > attempted) {
    throw new Error(`${acknowledged.length} of ${attempted} puts acknowledged, but the count is ${count}`)
  }
  await adapter.put(KEY, '{}', { expect: found?.version ?? 'absent' })
  await adapter.close()
}

/** Throws if a handle acknowledged anything on a file behind a write or flush of it that may not last. */
function checkPoison(statements: readonly Statement[]): void {
  for (const what of ['first append', 'first put']) {
    const about = statements.filter(isAbout(what))
    const failed = about.findIndex((line) => 'rejected' in line && line.code === 'UNCERTAIN')
    if (failed >= 0 && about.slice(failed).some((line) => 'acknowledged' in line)) {
      throw new Error(`${what}: acknowledged behind an UNCERTAIN one`)
    }
  }
}

describe.skipIf(missing !== undefined)(`faults in system calls${missing === undefined ? '' : ` (${missing})`}`, () => {
  for (const durability of ['disk', 'process'] as const) {
    test(
      `killed, or failing, at every ${CALLS.join(', ')}: nothing acknowledged is lost (${durability})`,
      { timeout: 600_000 },
      async () => {
        const folder = freshRoot()
        mkdirSync(folder)
        const sound = new Scene(join(folder, 'sound'), durability)
        const { calls, errors } = await sound.run({ calls: CALLS })
        expect(errors).toBe('')
        await checkStore(sound.root, sound.statements())
        const inside = calls.filter(({ paths }) => paths.some((path) => path.startsWith(sound.root)))
        const count = (wanted: string) => inside.filter(({ name }) => name === wanted).length
        // The marker, 6 appends of two handles, 7 puts, two of which roll over: a draft and a seal each.
        expect(count('write')).toBeGreaterThanOrEqual(1 + 6 + 7 + 2)
        expect(count('rename')).toBeGreaterThanOrEqual(2)
        // And once before the second handle builds on what the first wrote.
        if (durability === 'disk') expect(count('fdatasync')).toBe(count('write') + 1)
        const paths = [...new Set(inside.flatMap((call) => call.paths))].filter((path) => path.startsWith(sound.root))

        const faults = CALLS.flatMap((call) =>
          EFFECTS.flatMap((effect) => Array.from({ length: count(call) }, (_, i) => ({ call, effect, n: i + 1 }))),
        )
        const breaches: string[] = []
        let next = 0
        const work = async () => {
          for (let i = next++; i < faults.length; i = next++) {
            const fault = faults[i] as Fault
            const scene = new Scene(join(folder, String(i)), durability)
            const own = paths.map((path) => path.replace(sound.root, scene.root))
            const { killedBy, calls: seen, errors: said } = await scene.run({ calls: CALLS, paths: own, fault })
            const statements = scene.statements()
            try {
              const isKilled = fault.effect.startsWith('signal')
              if (isKilled !== (killedBy === 'SIGKILL') || said !== '')
                throw new Error(`killed by ${killedBy}: ${said}`)
              if (!isKilled && !seen.some((call) => call.isInjected)) throw new Error('no fault was injected')
              const mustBeTold = !isKilled && MUST_BE_TOLD.has(fault.call)
              if (mustBeTold && !statements.some((line) => 'rejected' in line)) {
                throw new Error('the failure was swallowed')
              }
              checkPoison(statements)
              await checkStore(scene.root, statements)
            } catch (error) {
              breaches.push(
                `${fault.call} ${fault.n}, ${fault.effect}: ${SessionError.is(error) ? `${error.code} ` : ''}${String(error)}`,
              )
            }
          }
        }
        await Promise.all(Array.from({ length: AT_ONCE }, work))
        expect(breaches).toEqual([])
      },
    )
  }
})
