import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, missing } from './browser.ts'

const MIB = 2 ** 20

describe.skipIf(missing !== undefined)('ways in which a browser fails', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await Browser.start()), 60_000)
  afterAll(() => browser.close())

  test('no space: QUOTA with usage and quota, nothing half-written; what fits is still written', async () => {
    // Of its own: Chromium asks for the space of an origin once in a while, not for each transaction.
    const small = await Browser.start()
    try {
      const tab = await small.open()
      await tab.command('Storage.overrideQuotaForOrigin', { origin: small.origin, quotaSize: 2 * MIB })
      expect(await tab.call('append', 'full', 'log', 0, ['"first"'])).toEqual({ ok: true })
      const large = Array.from({ length: 64 }, (_, i) => JSON.stringify({ i, text: randomText(MIB / 8) }))
      const refused = await tab.call('append', 'full', 'log', 1, large)
      expect(refused).toMatchObject({ ok: false, code: 'QUOTA', written: 'no' })
      // Chromium hides the size of the disk: what it calls the quota is more than what is left.
      const { usage, quota } = refused as { usage: number; quota: number }
      expect(usage).toBeGreaterThan(0)
      expect(quota).toBeGreaterThan(usage)
      // Another tab sees what was there, and no part of the batch.
      const other = await small.open()
      expect(await other.call('records', 'full', 'log')).toEqual(['"first"'])
      expect(await tab.call('records', 'full', 'log')).toEqual(['"first"'])
      expect(await other.call('append', 'full', 'log', 1, ['"second"'])).toEqual({ ok: true })
      expect(await tab.call('append', 'full', 'log', 2, ['"third"'])).toEqual({ ok: true })
    } finally {
      await small.close()
    }
  }, 120_000)

  test('a tab with a newer release: the old one is BLOCKED, told to reload, and touches no data; after that it is FORMAT', async () => {
    const [old, fresh] = [await browser.open(), await browser.open()]
    expect(await old.call('append', 'upgraded', 'log', 0, ['"0"'])).toEqual({ ok: true })
    await fresh.page.evaluate(() =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open('upgraded', 2)
        request.addEventListener('success', resolve)
        request.addEventListener('error', () => reject(request.error))
      }).then(() => undefined),
    )
    const refused = { ok: false, code: 'BLOCKED', written: 'no', message: expect.stringContaining('reload') }
    expect(await old.call('append', 'upgraded', 'log', 1, ['"1"'])).toMatchObject(refused)
    expect(await old.call('get', 'upgraded', 'document')).toMatchObject(refused)
    await old.reload()
    expect(await old.call('append', 'upgraded', 'log', 1, ['"1"'])).toMatchObject({ code: 'FORMAT', written: 'no' })
    const stored = await fresh.page.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('upgraded')
          opening.addEventListener('success', () => {
            const request = opening.result.transaction('records').objectStore('records').getAll()
            request.addEventListener('success', () => resolve(request.result))
          })
        }),
    )
    expect(stored).toEqual(['"0"'])
  }, 60_000)

  test('site data cleared under an open tab: UNAVAILABLE, and no empty database in its place; a reload starts anew', async () => {
    const tab = await browser.open()
    expect(await tab.call('append', 'cleared', 'log', 0, ['"0"'])).toEqual({ ok: true })
    await tab.command('Storage.clearDataForOrigin', { origin: browser.origin, storageTypes: 'indexeddb' })
    const gone = { ok: false, code: 'UNAVAILABLE', written: 'no' }
    expect(await tab.call('append', 'cleared', 'log', 1, ['"1"'])).toMatchObject(gone)
    expect(await tab.call('get', 'cleared', 'document')).toMatchObject(gone)
    expect(await tab.page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))).not.toContain(
      'cleared',
    )
    await tab.reload()
    expect(await tab.call('records', 'cleared', 'log')).toEqual([])
    expect(await tab.call('append', 'cleared', 'log', 0, ['"0"'])).toEqual({ ok: true })
  }, 60_000)

  test('connections that the browser ends are opened again: the next call has the right answer, one under way that or UNCERTAIN', async () => {
    const tab = await browser.open()
    expect(await tab.call('append', 'ended', 'log', 0, ['"0"'])).toEqual({ ok: true })
    const internals = await browser.context.newPage()
    await internals.goto('chrome://indexeddb-internals')
    const endConnections = () => internals.locator('.force-close').first().click()
    await endConnections()
    expect(await tab.call('records', 'ended', 'log')).toEqual(['"0"'])
    await endConnections()
    expect(await tab.call('append', 'ended', 'log', 1, ['"1"'])).toEqual({ ok: true })

    const working = tab.call('appendUntilStopped', 'ended', 'log')
    for (let round = 0; round < 10; round++) {
      await endConnections()
      await new Promise((resolve) => setTimeout(resolve, 100 + 13 * round))
    }
    await tab.call('stop')
    const { acknowledged, refusals } = await working
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'UNCERTAIN', written: 'unknown' })
    const records = await tab.call('records', 'ended', 'log')
    expect(acknowledged.length).toBeGreaterThan(10)
    for (const [at, text] of acknowledged) expect(records[at]).toBe(text)
    expect(new Set(records).size).toBe(records.length)
  }, 60_000)
})

/** Does not get smaller when it is compressed. */
function randomText(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    .toString('base64')
    .repeat(2)
    .slice(0, length)
}
