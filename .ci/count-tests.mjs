// Prints "passed failed skipped" of one vitest run, from its JSON report and its exit code, then a line for each failed test, and for each suite
// with its skipped tests.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

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
for (const { name, message, assertionResults } of report.testResults) {
  const path = relative(process.cwd(), name)
  const bad = assertionResults.filter(({ status }) => status === 'failed')
  for (const { title, failureMessages } of bad) {
    console.log(`failed: ${path}: ${title}: ${firstLine(failureMessages[0] ?? '')}`)
  }
  if (bad.length === 0 && message) console.log(`failed: ${path}: ${firstLine(message)}`)
}
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

function firstLine(text) {
  return text.trim().split('\n')[0].slice(0, 300)
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return { testResults: [] }
  }
}
