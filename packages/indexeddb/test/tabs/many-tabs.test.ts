import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, missing, type Tab } from './browser.ts'
import type { Acknowledged } from './page/tab.ts'

const WRITERS = ['one', 'two', 'three']
const MESSAGES = 1000

describe.skipIf(missing !== undefined)('tabs of one Chromium', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await Browser.start()), 60_000)
  afterAll(() => browser.close())

  test('3 tabs append 1,000 messages each, one is killed and reopened every second: each is there exactly once, in one chain', async () => {
    const acknowledged = new Map<string, Acknowledged>()
    const writers = WRITERS.map((name) => new Writer(browser, name, acknowledged))
    let kills = 0
    const running = Promise.all(writers.map((writer) => writer.run()))
    const killing = (async () => {
      for (let turn = 0; writers.some(({ done }) => !done); turn++) {
        await new Promise((resolve) => setTimeout(resolve, 1000))
        const victim = writers[turn % writers.length] as Writer
        if (await victim.kill(turn % 2 === 0 ? 'crash' : 'close')) kills++
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
    console.log(`tabs were killed ${kills} times`)
  }, 300_000)
})

/** A writer that goes on in a new tab when its tab is killed. */
class Writer {
  done = false
  readonly #browser: Browser
  readonly #name: string
  readonly #acknowledged: Map<string, Acknowledged>
  #next = 0
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
      if (end !== 'killed' && !tab.page.isClosed() && !(await isDead(tab, killed))) throw end
      if (!tab.page.isClosed()) await tab.close()
    }
    this.done = true
  }

  /** Ends the tab if it is at work; resolves with whether it was. */
  async kill(how: 'crash' | 'close'): Promise<boolean> {
    const tab = this.#tab
    this.#tab = undefined
    if (!tab) return false
    await tab[how]()
    return true
  }
}

// The call may be told before the event.
function isDead(_: Tab, killed: Promise<'killed'>): Promise<boolean> {
  const enough = new Promise<false>((resolve) => setTimeout(() => resolve(false), 1000))
  return Promise.race([killed.then(() => true), enough])
}
