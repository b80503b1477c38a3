import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright'
import { build, preview } from 'vite'

/** Where Chromium is; `npm test` finds it. */
export const chromiumPath: string = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
/** Why the page cannot be looked at. */
export const missing: string | undefined = existsSync(chromiumPath)
  ? undefined
  : `no Chromium at ${chromiumPath}; set CHROMIUM_PATH`

/** The built page, served, and a browser to look at it with. */
export interface ServedPage extends AsyncDisposable {
  readonly url: string
  /** A fresh profile: nothing is stored. */
  context(): Promise<BrowserContext>
}

/** Builds the page as it would be published, and serves it. */
export async function servePage(executablePath: string): Promise<ServedPage> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const outDir = await mkdtemp(join(tmpdir(), 'browser-agent-'))
  await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } })
  const server = await preview({ root, logLevel: 'error', build: { outDir }, preview: { port: 0, host: '127.0.0.1' } })
  const browser: Browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
  const url = server.resolvedUrls?.local[0] ?? ''
  return {
    url,
    context: () => browser.newContext({ baseURL: url, viewport: { width: 1280, height: 800 }, acceptDownloads: true }),
    async [Symbol.asyncDispose]() {
      await browser.close()
      await server.close()
      await rm(outDir, { recursive: true, force: true })
    },
  }
}

/** Saves what a page shows, if a folder for that is named. */
export async function picture(page: Page, name: string): Promise<void> {
  const { SCREENSHOTS: folder } = process.env
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) })
}
