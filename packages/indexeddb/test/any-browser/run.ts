import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import type { Report } from './page.ts'

// All contracts in a browser that no test runner here drives: serves a page that runs them in a window and then in a worker, and prints what was not as
// it should be, what was skipped and what took long. The address goes behind the command that is given, which is ended with the run; without one, open
// it by hand. CASES=read/,crash/ runs some only.
//   node --conditions=@sessiontree/source packages/indexeddb/test/any-browser/run.ts firefox --headless --no-remote --profile "$(mktemp -d)"

const LONG = 10

const build = await rolldown({
  input: {
    page: fileURLToPath(new URL('page.ts', import.meta.url)),
    worker: fileURLToPath(new URL('../worker.ts', import.meta.url)),
  },
  resolve: { conditionNames: ['@sessiontree/source', 'import'] },
})
const { output } = await build.generate({ format: 'esm' })
const scripts = new Map(output.flatMap((part) => (part.type === 'chunk' ? [[`/${part.fileName}`, part.code]] : [])))

const counts = { passed: 0, skipped: 0, failed: 0 }
const { promise: ended, resolve: end } = Promise.withResolvers<string>()

function take(report: Report): void {
  if ('browser' in report) return end(report.browser)
  const { place, id, seconds } = report
  const kind = !report.passed ? 'failed' : report.skipped === undefined ? 'passed' : 'skipped'
  counts[kind]++
  const detail = report.passed ? (report.skipped ?? '') : report.message
  if (kind !== 'passed' || seconds > LONG) console.log(`${kind} ${seconds.toFixed(1)} s  ${place}  ${id}  ${detail}`)
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname === '/report') {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      take(JSON.parse(Buffer.concat(parts).toString()) as Report)
      response.end()
    })
    return
  }
  const script = scripts.get(pathname)
  response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript')
  response.end(script ?? '<!doctype html><title>Contracts</title><script type="module" src="/page.js"></script>')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo
const address = `http://127.0.0.1:${port}/?cases=${encodeURIComponent(process.env['CASES'] ?? '')}`
console.log(address)

const [command, ...given] = process.argv.slice(2)
// In a process group of its own, to be ended whole.
const browser =
  command === undefined ? undefined : spawn(command, [...given, address], { stdio: 'ignore', detached: true })
browser?.on('error', (error) => {
  throw error
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end('not finished'))
console.log(`${await ended}: ${counts.passed} passed, ${counts.skipped} skipped, ${counts.failed} failed`)
if (browser?.pid !== undefined) process.kill(-browser.pid)
process.exit(counts.failed === 0 ? 0 : 1)
