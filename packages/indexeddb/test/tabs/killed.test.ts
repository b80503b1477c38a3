import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, missing } from './browser.ts'

describe.skipIf(missing !== undefined)('tabs that end', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await Browser.start()), 60_000)
  afterAll(() => browser.close())

  test.each(['crash', 'close'] as const)(
    'a tab that ends in the middle of a write (%s) leaves whole batches, every acknowledged one among them; another tab goes on',
    async (how) => {
      const witness = await browser.open()
      const name = `killed-${how}`
      for (let round = 0; round < 4; round++) {
        const tab = await browser.open()
        let last = -1
        await tab.page.exposeFunction('acknowledge', (at: number) => void (last = at))
        const working = tab.call('appendForEver', name, 'log', 100_000).catch(() => {})
        await expect.poll(() => last, { timeout: 30_000, interval: 5 }).toBeGreaterThanOrEqual(0)
        await new Promise((resolve) => setTimeout(resolve, 7 * round))
        await tab[how]()
        if (how === 'crash') await tab.close()
        await working
        const numbers = await witness.call('numbers', name, 'log')
        expect(numbers.length % 4).toBe(0)
        expect(numbers.length).toBeGreaterThanOrEqual(last + 4)
        expect(numbers).toEqual([...numbers.keys()])
        const next = [0, 1, 2, 3].map((i) => JSON.stringify({ at: numbers.length + i }))
        expect(await witness.call('append', name, 'log', numbers.length, next)).toEqual({ ok: true })
      }
    },
    120_000,
  )

  test.each(['crash', 'close'] as const)(
    'the lock of a tab that ends (%s) is free at once',
    async (how) => {
      const [tab, other] = [await browser.open(), await browser.open()]
      const name = `locks-${how}`
      expect(await tab.call('lock', name, 'support-42')).toBe(true)
      expect(await other.call('isLocked', name, 'support-42')).toBe(true)
      expect(await other.call('lock', name, 'support-42')).toBe(false)
      await tab[how]()
      // Once the browser has noticed: the tests of leases wait thirty seconds for the same.
      await expect.poll(() => other.call('isLocked', name, 'support-42'), { timeout: 5000 }).toBe(false)
      expect(await other.call('lock', name, 'support-42')).toBe(true)
    },
    60_000,
  )

  test.each(['crash', 'close'] as const)(
    'the turn of a tab that ends in the middle of it (%s) is over at once for whoever knows the lock, and what it said is there',
    async (how) => {
      const [tab, other] = [await browser.open(), await browser.open()]
      const name = `turns-${how}`
      const busy = { ok: false, code: 'ACTIVE_TURN', written: 'no' }
      expect(await tab.call('takeTurn', name, 'from the first tab')).toEqual({ ok: true })
      expect(await other.call('takeTurn', name, 'too early')).toMatchObject(busy)
      expect(await other.call('locksHeld', name)).toBe(1)
      await tab[how]()
      // The browser has noticed.
      await expect.poll(() => other.call('locksHeld', name)).toBe(0)
      // The lease holds on: whoever has nothing but that to go by is still kept off.
      expect(await other.call('takeTurn', name, 'without the lock', { locked: false })).toMatchObject(busy)
      expect(await other.call('takeTurn', name, 'from the second tab')).toEqual({ ok: true })
      expect(await other.call('contents', name)).toEqual(['from the first tab', 'from the second tab'])
      expect(await other.call('verify', name)).toMatchObject({ ok: true, problems: [] })
      // And so does the one that follows it.
      expect(await (await browser.open()).call('takeTurn', name, 'too early')).toMatchObject(busy)
    },
    60_000,
  )

  test('an append in one tab wakes the others that watch the log', async () => {
    const [writer, watching, elsewhere] = [await browser.open(), await browser.open(), await browser.open()]
    await watching.call('watch', 'woken', 'log')
    await elsewhere.call('watch', 'other', 'log')
    expect(await writer.call('append', 'woken', 'log', 0, ['"0"'])).toEqual({ ok: true })
    await expect.poll(() => watching.call('wakes')).toBe(1)
    expect(await elsewhere.call('wakes')).toBe(0)
  }, 60_000)
})
