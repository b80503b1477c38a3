// Prints "passed failed skipped" of one vitest run, from its JSON report and its exit code, then a line for each suite with its skipped tests.
import { readFileSync } from 'node:fs'

const [file, exitCode] = process.argv.slice(2)
const report = read(file)
const tests = report.testResults.flatMap(({ assertionResults }) => assertionResults)
const count = (status) => tests.filter((test) => test.status === status).length
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed')
let failed = count('failed')
// A file that does not load has no tests to fail; an unhandled rejection belongs to none; a run without tests proves nothing.
for (const { status, assertionResults } of report.testResults) {
  if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) failed++
}
if (failed === 0 && (exitCode !== '0' || count('passed') === 0)) failed = 1
console.log(count('passed'), failed, skipped.length)
const suites = new Map()
for (const test of skipped) suites.set(suiteOf(test), [...(suites.get(suiteOf(test)) ?? []), idOf(test)])
for (const [suite, ids] of suites) console.log(`skipped: ${suite}: ${ids.join(', ')}`)

function suiteOf({ ancestorTitles }) {
  return ancestorTitles.at(-1) ?? 'by itself'
}

// A case's title starts with its id.
function idOf({ title }) {
  return title.split(':')[0]
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return { testResults: [] }
  }
}
