// Nothing in the repository that belongs to one machine: no registry's address, no path of somebody's disk, no build
// output, and nothing of the real transcripts that may lie beside the clone.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const LARGEST = 1024 * 1024
const LONG_LINE = 80
const transcripts = '../shared/data'
const found = []

// Also what is not committed yet, unless it is ignored.
const files = git('ls-files', '-z', '--cached', '--others', '--exclude-standard')
  .split('\0')
  .filter((file) => file !== '' && existsSync(file))
const hosts = registryHosts()
// Somebody called "user" is nobody.
const machinePath = /(?<![\w.~-])\/(?:work|root|(?:home|Users)\/(?!user\/)[A-Za-z][\w-]*)\/|\b[A-Z]:\\{1,2}Users\\/
const foreignLines = existsSync(transcripts) ? longLines(transcripts) : new Set()

for (const file of files) {
  if (/(?:^|\/)(?:node_modules|dist|coverage|\.turbo)\/|\.(?:tsbuildinfo|tgz|log)$/.test(file))
    report(file, 'build output')
  if (statSync(file).size > LARGEST) report(file, `larger than ${LARGEST} bytes`)
  const text = readFileSync(file, 'utf8')
  for (const host of hosts) if (text.includes(host)) report(file, 'names the host of a registry')
  text.split('\n').forEach((line, at) => {
    if (machinePath.test(line)) report(`${file}:${at + 1}`, 'a path of one machine')
    if (line.length >= LONG_LINE && foreignLines.has(line.trim()))
      report(`${file}:${at + 1}`, `a line of ${transcripts}`)
  })
}

for (const line of found) console.log(line)
console.log(`CI: ${files.length} files${existsSync(transcripts) ? '' : `, without ${transcripts} to compare with`}`)
process.exitCode = found.length === 0 && files.length > 0 ? 0 : 1

function report(where, what) {
  found.push(`${where}: ${what}`)
}

function git(...args) {
  return execFileSync('git', args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
}

// As this machine's own npm and apt know them: naming them here would be naming them.
function registryHosts() {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' })
  const lists = ['/etc/apt/sources.list', ...list('/etc/apt/sources.list.d')].filter((file) => existsSync(file))
  const addresses = [registry, ...lists.map((file) => readFileSync(file, 'utf8'))]
    .join('\n')
    .matchAll(/https?:\/\/[^\s"']+/g)
  return new Set(Array.from(addresses, ([address]) => new URL(address).host))
}

function longLines(folder) {
  const lines = new Set()
  for (const file of list(folder)) {
    if (statSync(file).isDirectory()) for (const line of longLines(file)) lines.add(line)
    else for (const line of readFileSync(file, 'utf8').split('\n')) if (line.length >= LONG_LINE) lines.add(line.trim())
  }
  return lines
}

function list(folder) {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}
