import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, missing, type Tab } from './browser.ts'
import type { Acknowledged } from './page/tab.ts'

const WRITERS = ['one', 'two', 'three']
const MESSAGES = 1000
// Without end, a machine on which a tab needs seconds to open would get nothing done; each kill costs one.
const MOST_KILLS = process.env['SESSIONTREE_TORTURE'] === 'full' ? 60 : 30

describe.skipIf(missing !== undefined)('tabs of one Chromium', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await Browser.start()), 60_000)
  afterAll(() => browser.close())

  test('3 tabs append 1,000 messages each, one is killed and reopened every second: each is there exactly once, in one chain', async (context) => {
    const acknowledged = new Map<string, Acknowledged>()
    const writers = WRITERS.map((name) => new Writer(browser, name, acknowledged))
    let kills = 0
    const running = Promise.all(writers.map((writer) => writer.run()))
    const killing = (async () => {
      for (let turn = 0; writers.some(({ done }) => !done); turn++) {
        await new Promise((resolve) => setTimeout(resolve, 1000))
        // On a slow machine a tab may need longer than a second to get to work at all.
        const [victim] = writers
          .slice(turn % 3)
          .concat(writers.slice(0, turn % 3))
          .filter(({ atWork }) => atWork)
        if (!victim || kills === MOST_KILLS) continue
        await victim.kill(turn % 2 === 0 ? 'crash' : 'close')
        kills++
      }
    })()
    await Promise.all([running, killing])
    expect(kills).toBeGreaterThan(2)

    const witness = await browser.open()
    const entries = await witness.call('entries', 'many')
    const expected = WRITERS.flatMap((name) => Array.from({ length: MESSAGES }, (_, i) => `${name}-${i}`))
    expect(entries.map(({ id }) => id).toSorted()).toEqual(expected.toSorted())
    expect(entries.map(({ parentId }) => parentId)).toEqual([null, ...entries.slice(0, -1).map(({ id }) => id)])
    // What a tab was told is what is there.
    for (const entry of entries) expect(acknowledged.get(entry.id)).toEqual(entry)
    for (const name of WRITERS) {
      const own = entries.filter(({ id }) => id.startsWith(`${name}-`)).map(({ id }) => Number(id.split('-')[1]))
      expect(own).toEqual(Array.from({ length: MESSAGES }, (_, i) => i))
    }
    expect(await witness.call('verify', 'many')).toMatchObject({ ok: true, entries: 3 * MESSAGES, problems: [] })
    await context.annotate(`tabs were killed ${kills} times`)
  }, 300_000)
})

/** A writer that goes on in a new tab when its tab is killed. */
class Writer {
  done = false
  readonly #browser: Browser
  readonly #name: string
  readonly #acknowledged: Map<string, Acknowledged>
  #next = 0
  #start = 0
  #tab: Tab | undefined

  constructor(browser: Browser, name: string, acknowledged: Map<string, Acknowledged>) {
    this.#browser = browser
    this.#name = name
    this.#acknowledged = acknowledged
  }

  async run(): Promise<void> {
    while (this.#next < MESSAGES) {
      const tab = await this.#browser.open()
      await tab.page.exposeFunction('acknowledge', (entry: Acknowledged) => {
        this.#acknowledged.set(entry.id, entry)
        this.#next = Number(entry.id.split('-')[1]) + 1
      })
      this.#start = this.#next
      this.#tab = tab
      const killed = new Promise<'killed'>((resolve) => {
        tab.page.once('crash', () => resolve('killed'))
        tab.page.once('close', () => resolve('killed'))
      })
      const working = tab.call('appendMessages', 'many', this.#name, this.#next, MESSAGES)
      const end = await Promise.race([killed, working.catch((error: unknown) => error)])
      this.#tab = undefined
      if (end === undefined) break
      // Closing makes the call reject; so does everything that must not happen.
      if (end !== 'killed' && !(await isSoon(killed))) throw end
      if (!tab.page.isClosed()) await tab.close()
    }
    this.done = true
  }

  /** Whether its tab of the moment has written something. */
  get atWork(): boolean {
    return this.#tab !== undefined && this.#next > this.#start
  }

  /** Ends the tab of the moment. */
  async kill(how: 'crash' | 'close'): Promise<void> {
    const tab = this.#tab
    this.#tab = undefined
    await tab?.[how]()
  }
}

// A call may be told of the end of its tab before everybody else is.
function isSoon(event: Promise<unknown>): Promise<boolean> {
  const enough = new Promise<false>((resolve) => setTimeout(() => resolve(false), 2000))
  return Promise.race([event.then(() => true), enough])
}
