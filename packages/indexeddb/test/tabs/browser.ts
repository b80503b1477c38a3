import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type BrowserContext, type CDPSession, type Page } from 'playwright'
import { expect, test } from 'vitest'
import { createViteServer } from 'vitest/node'
import type { TabFunctions } from './page/tab.ts'

const path = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** Why no tab can be opened here, or undefined. */
export const missing: string | undefined = existsSync(path) ? undefined : `no Chromium at ${path} (set CHROMIUM_PATH)`

if ((process.env['SESSIONTREE_REQUIRE'] ?? '').split(',').includes('chromium')) {
  test('Chromium is there, as SESSIONTREE_REQUIRE demands', () => {
    expect(missing).toBeUndefined()
  })
}

/** A Chromium of its own with a profile on disk, and the page of `page/` in as many tabs as one likes. */
export class Browser {
  readonly context: BrowserContext
  readonly origin: string
  readonly #end: () => Promise<void>

  private constructor(context: BrowserContext, origin: string, end: () => Promise<void>) {
    this.context = context
    this.origin = origin
    this.#end = end
  }

  static async start(): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'sessiontree-tabs-'))
    const server = await createViteServer({
      configFile: false,
      root: fileURLToPath(new URL('page', import.meta.url)),
      cacheDir: join(profile, 'vite'),
      logLevel: 'error',
      resolve: { conditions: ['@sessiontree/source', 'module', 'browser', 'development'] },
      // All dependencies are modules: none is bundled, so that no page is reloaded for one that was found late.
      optimizeDeps: { noDiscovery: true, include: [] },
      server: {
        host: '127.0.0.1',
        port: 0,
        hmr: false,
        watch: null,
        fs: { allow: [fileURLToPath(new URL('../../../..', import.meta.url))] },
      },
    })
    await server.listen()
    const { port } = server.httpServer?.address() as AddressInfo
    const context = await chromium.launchPersistentContext(join(profile, 'profile'), {
      executablePath: path,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
    })
    return new Browser(context, `http://127.0.0.1:${port}`, async () => {
      await context.close()
      await server.close()
      rmSync(profile, { recursive: true, force: true })
    })
  }

  /** Opens the page in a tab of its own. */
  async open(): Promise<Tab> {
    return Tab.open(this.context, this.origin)
  }

  close(): Promise<void> {
    return this.#end()
  }
}

/** One tab with the page in it. */
export class Tab {
  readonly page: Page
  readonly #devtools: CDPSession

  private constructor(page: Page, devtools: CDPSession) {
    this.page = page
    this.#devtools = devtools
  }

  static async open(context: BrowserContext, origin: string): Promise<Tab> {
    const page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    await page.goto(origin)
    await page.waitForFunction(() => 'tab' in globalThis)
    return new Tab(page, devtools)
  }

  /** Calls a function of the page. An error comes back as its fields: its class would be lost on the way. */
  async call<Name extends keyof TabFunctions>(
    name: Name,
    ...given: Parameters<TabFunctions[Name]>
  ): Promise<Awaited<ReturnType<TabFunctions[Name]>>> {
    const answer = await this.page.evaluate(
      ([what, args]) =>
        (globalThis as unknown as { tab: Record<string, (...all: unknown[]) => unknown> }).tab[what]?.(...args),
      [name, given] as const,
    )
    return answer as Awaited<ReturnType<TabFunctions[Name]>>
  }

  /** A command of the developer tools' protocol. */
  async command(method: Parameters<CDPSession['send']>[0], parameters?: object): Promise<unknown> {
    return this.#devtools.send(method, parameters as never)
  }

  /** Ends the renderer's process with whatever it is doing; the tab stays, dead. */
  async crash(): Promise<void> {
    const crashed = new Promise((resolve) => this.page.once('crash', resolve))
    // It never answers.
    this.command('Page.crash').catch(() => {})
    await crashed
  }

  /** Closes the tab as a user does, without waiting for the page. */
  async close(): Promise<void> {
    await this.page.close()
  }
}
