import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright'
import { rolldown } from 'rolldown'

// Starts Chromium with a profile on disk and lets the page measure.

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: tmpdir() },
    appends: { type: 'string', default: '300' },
    records: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '7' },
  },
})
const [appends, records, rounds] = [values.appends, values.records, values.rounds].map((given) => {
  const number = Number(given)
  if (!Number.isInteger(number) || number < 1) throw new TypeError(`expected a whole number from 1, got ${given}`)
  return number
})

const build = await rolldown({
  input: fileURLToPath(new URL('indexeddb-page.ts', import.meta.url)),
  resolve: { conditionNames: ['@sessiontree/source', 'import'] },
})
const { output } = await build.generate({ format: 'esm', minify: true })
// Core loads parts of itself when they are needed.
const scripts = new Map(output.flatMap((part) => (part.type === 'chunk' ? [[`/${part.fileName}`, part.code]] : [])))
const html = `<!doctype html><title>bench</title><script type="module" src="/${output[0].fileName}"></script>`
const server = createServer(({ url = '/' }, response) => {
  const script = scripts.get(url)
  response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript')
  response.end(script ?? html)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

const profile = mkdtempSync(join(values.folder, 'sessiontree-bench-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
})
try {
  const page = await context.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await page.waitForFunction(() => 'bench' in globalThis)
  const tables = await page.evaluate(
    (options) => (globalThis as unknown as { bench: (given: object) => Promise<string> }).bench(options),
    { appends, records, rounds },
  )
  const version = context.browser()?.version() ?? ''
  console.log(
    `${appends} appends of 1 kB, medians of ${rounds} rounds, Chromium ${version}, ${cpus().length} × ${cpus()[0]?.model}, ${profile}\n`,
  )
  console.log(tables)
} finally {
  await context.close()
  server.close()
  rmSync(profile, { recursive: true, force: true })
}
