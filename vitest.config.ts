import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'

// Tests run the sources: no build needed, and a failing line is a line of ours.
const conditions = ['@sessiontree/source']
// Whoever waits for another tab, worker or process waits for a busy machine, too.
const poll = { timeout: 10_000 }

// What takes long, or runs other processes, and says nothing about the Node that it runs on. (--exclude does not reach projects.)
const long =
  process.env['SESSIONTREE_TESTS'] === 'portable'
    ? ['torture', 'tabs', 'processes', 'read-sessiontree', 'fork-races'].map((name) => `**/*${name}*{,/**}`)
    : []

// The processes that tests start run the sources, too: Node would strip the types of every file anew in each of them, which takes longer than
// what most of them do.
const compileCache = fileURLToPath(new URL('node_modules/.cache/sessiontree-compile', import.meta.url))

// How many runs of the session model on each adapter: a few by default, some thousands overnight.
declare module 'vitest' {
  interface ProvidedContext {
    readonly modelRuns: number | undefined
    /** Transcripts of real sessions, for pages, which read no files: by name. */
    readonly transcripts: Readonly<Record<string, string>> | undefined
  }
}
const runs = process.env['SESSIONTREE_MODEL_RUNS']
const provide = runs ? { modelRuns: Number(runs) } : {}
const folder = process.env['SESSIONTREE_TRANSCRIPTS']
const names = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.jsonl'))
const transcripts = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder ?? '', name), 'utf8')]))

export default defineConfig({
  test: {
    // One waits (for a disk, a server, another process) while the other one computes.
    maxWorkers: 2,
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: 'node',
          provide,
          include: ['{packages,examples,tools}/*/test/**/*.test.ts'],
          exclude: ['**/*.browser.test.ts', '**/node_modules/**', ...long],
          env: { NODE_COMPILE_CACHE: compileCache },
          testTimeout: 60_000,
          expect: { poll },
        },
      },
      {
        resolve: { conditions },
        // Found late, it would make Vite start the tests once more.
        optimizeDeps: { include: ['fast-check'] },
        worker: { format: 'es' },
        test: {
          name: 'chromium',
          provide: { ...provide, transcripts },
          include: ['packages/*/test/**/*.browser.test.ts'],
          testTimeout: 60_000,
          expect: { poll },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            instances: [{ browser: 'chromium' }],
            provider: playwright({
              launchOptions: {
                executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
                args: [
                  '--no-sandbox',
                  '--disable-gpu',
                  '--disable-quic',
                  '--no-first-run',
                  '--disable-background-networking',
                  '--disable-component-update',
                  '--disable-sync',
                ],
              },
            }),
          },
        },
      },
    ],
  },
})
