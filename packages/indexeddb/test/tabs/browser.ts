import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type BrowserContext, type CDPSession, type Page } from 'playwright'
import { rolldown } from 'rolldown'
import { expect, test } from 'vitest'
import type { TabFunctions } from './page/tab.ts'

const path = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** Why no tab can be opened here, or undefined. */
export const missing: string | undefined = existsSync(path) ? undefined : `no Chromium at ${path} (set CHROMIUM_PATH)`

if ((process.env['SESSIONTREE_REQUIRE'] ?? '').split(',').includes('chromium')) {
  test('Chromium is there, as SESSIONTREE_REQUIRE demands', () => {
    expect(missing).toBeUndefined()
  })
}

const LAUNCH = {
  executablePath: path,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
}

/** A Chromium of its own with a profile on disk, and the page of `page/` in as many tabs as one likes. */
export class Browser {
  /** How to start another one like it. */
  readonly launch: { readonly executablePath: string; readonly args: string[] } = LAUNCH
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
    const scripts = await bundle(['tab', 'shared-worker', 'service-worker'])
    const server = createServer(({ url = '/' }, response) => {
      const script = scripts.get(url.slice(1))
      // A frame without an origin of its own needs leave to load a module.
      response.setHeader('access-control-allow-origin', '*')
      response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript')
      response.end(script ?? PAGE)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const context = await chromium.launchPersistentContext(join(profile, 'profile'), LAUNCH)
    return new Browser(context, `http://127.0.0.1:${port}`, async () => {
      await context.close()
      server.closeAllConnections()
      server.close()
      rmSync(profile, { recursive: true, force: true })
    })
  }

  /** Opens the page in a tab of its own. */
  open(): Promise<Tab> {
    return Tab.open(this.context, this.origin)
  }

  close(): Promise<void> {
    return this.#end()
  }
}

const PAGE =
  '<!doctype html><title>sessiontree</title><link rel="icon" href="data:,"><script type="module" src="/tab.js"></script>'

/** One file each, by name: a tab is open again soon after it was killed, and a service worker may not `import()` what it needs later. */
async function bundle(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const scripts = new Map<string, string>()
  for (const name of names) {
    await using build = await rolldown({
      input: fileURLToPath(new URL(`page/${name}.ts`, import.meta.url)),
      resolve: { conditionNames: ['@sessiontree/source', 'import'] },
    })
    const { output } = await build.generate({ format: 'esm', codeSplitting: false })
    scripts.set(`${name}.js`, output[0].code)
  }
  return scripts
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

  /** Loads the page again. */
  async reload(): Promise<void> {
    await this.page.reload()
    await this.page.waitForFunction(() => 'tab' in globalThis)
  }

  /** A command of the developer tools' protocol. */
  async command(method: Parameters<CDPSession['send']>[0], parameters?: object): Promise<unknown> {
    return this.#devtools.send(method, parameters)
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
