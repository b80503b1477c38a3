import { chromium } from 'playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, missing, Tab } from './browser.ts'
import type { StoreUse } from './page/use-store.ts'

describe.skipIf(missing !== undefined)('places of one browser', () => {
  let browser: Browser
  beforeAll(async () => void (browser = await Browser.start()), 60_000)
  afterAll(() => browser.close())

  test('a shared worker and a service worker use the store that the windows use', async () => {
    const { page } = await browser.open()
    const shared: StoreUse = await page.evaluate(
      () =>
        new Promise<StoreUse>((resolve, reject) => {
          const worker = new SharedWorker('/shared-worker.js', { type: 'module' })
          worker.addEventListener('error', () => reject(new Error('the shared worker did not start')))
          worker.port.addEventListener('message', ({ data }) => resolve(data as StoreUse))
          worker.port.start()
        }),
    )
    const first = 'from a shared worker'
    expect(shared).toEqual({ contents: [first], watch: true, quota: true, locked: true })
    const service: StoreUse = await page.evaluate(async () => {
      await navigator.serviceWorker.register('/service-worker.js', { type: 'module' })
      const { active } = await navigator.serviceWorker.ready
      const { port1, port2 } = new MessageChannel()
      return new Promise<StoreUse>((resolve) => {
        port1.addEventListener('message', ({ data }) => resolve(data as StoreUse))
        port1.start()
        active?.postMessage('use', [port2])
      })
    })
    const second = 'from a service worker'
    expect(service).toEqual({ contents: [first, second], watch: true, quota: true, locked: true })
  }, 60_000)

  test('a private window keeps its sessions until it is closed', async () => {
    const { executablePath, args } = browser.launch
    const unrecorded = await chromium.launch({ executablePath, args })
    try {
      const window = await unrecorded.newContext()
      const tab = await Tab.open(window, browser.origin)
      expect(await tab.call('append', 'private', 'log', 0, ['"0"'])).toEqual({ ok: true })
      await tab.reload()
      expect(await tab.call('records', 'private', 'log')).toEqual(['"0"'])
      const second = await Tab.open(window, browser.origin)
      expect(await second.call('append', 'private', 'log', 1, ['"1"'])).toEqual({ ok: true })
      expect(await tab.call('records', 'private', 'log')).toEqual(['"0"', '"1"'])
      await window.close()
      const later = await Tab.open(await unrecorded.newContext(), browser.origin)
      expect(await later.call('records', 'private', 'log')).toEqual([])
    } finally {
      await unrecorded.close()
    }
  }, 60_000)

  test('where a page may not use storage, everything is DENIED, and it says so', async () => {
    const { page } = await browser.open()
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      // Without `allow-same-origin` it has no origin, and thus no storage.
      frame.sandbox.add('allow-scripts')
      frame.src = '/'
      document.body.append(frame)
    })
    await expect.poll(() => page.frames().length).toBe(2)
    const frame = page.frames()[1]
    await frame?.waitForFunction(() => 'tab' in globalThis)
    const refused = await frame?.evaluate(() =>
      (globalThis as unknown as { tab: { append(...given: unknown[]): Promise<unknown> } }).tab.append('s', 'log', 0, [
        '1',
      ]),
    )
    expect(refused).toMatchObject({
      ok: false,
      code: 'DENIED',
      written: 'no',
      message: expect.stringContaining('allow'),
    })
    const held = await frame?.evaluate(() => {
      const { lock, isLocked } = (
        globalThis as unknown as { tab: Record<string, (...given: unknown[]) => Promise<unknown>> }
      ).tab
      return Promise.all([lock?.('s', 'key'), isLocked?.('s', 'key')])
    })
    expect(held).toEqual([false, true])
  }, 60_000)
})
