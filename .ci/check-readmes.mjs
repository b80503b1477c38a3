// READMEs stay short, every TypeScript block in them is part of a file that is compiled, and every relative link leads
// somewhere.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const problems = []
let blocks = 0

checkDocument('README.md', { lines: 120, examples: 'examples' })
checkDocument('CONTRIBUTING.md', { lines: 100 })
checkDocument('docs/sessions.md', { lines: 300, examples: 'examples/readme' })
for (const name of readdirSync('packages')) {
  checkDocument(`packages/${name}/README.md`, { lines: 80, examples: `packages/${name}/example` })
}
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  encoding: 'utf8',
})
for (const file of listed.split('\n').filter((name) => name !== '' && existsSync(name))) checkLinks(file)

for (const problem of problems) console.log(problem)
console.log(`CI: ${blocks} code blocks`)
process.exitCode = problems.length === 0 ? 0 : 1

function checkDocument(file, { lines, examples }) {
  if (!existsSync(file)) {
    problems.push(`${file} is missing`)
    return
  }
  const text = readFileSync(file, 'utf8')
  const count = text.trimEnd().split('\n').length
  if (count > lines) problems.push(`${file}: ${count} lines, at most ${lines}`)
  if (!examples) return
  const shown = Array.from(text.matchAll(/^```(?:ts|typescript)\b[^\n]*\n(.*?)^```/gms), ([, block]) => block)
  if (shown.length === 0) problems.push(`${file}: shows no example`)
  const sources = sourcesIn(examples)
  for (const block of shown) {
    blocks++
    // Whole lines, in one piece, as they stand in the file.
    if (!sources.some((source) => `\n${source}`.includes(`\n${block}`))) {
      problems.push(`${file}: this block is in no file under ${examples}:\n${block.replace(/^/gm, '    ')}`)
    }
  }
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
}

function checkLinks(file) {
  const prose = readFileSync(file, 'utf8').replace(/^```.*?^```/gms, '')
  for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    const [path] = target.split('#')
    if (path === '' || /^[a-z]+:/.test(path)) continue
    if (!existsSync(join(dirname(file), decodeURI(path)))) problems.push(`${file}: ${target} leads nowhere`)
  }
}
