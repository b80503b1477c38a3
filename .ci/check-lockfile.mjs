// The lockfile holds every platform's binaries: a package that was published without some of them, or a registry that
// lacks them, makes pnpm leave them out without a word, and then an installation on macOS or Windows breaks.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const lockfile = readFileSync('pnpm-lock.yaml', 'utf8')
const locked = new Set(lockfile.matchAll(/^ {2}'?((?:@[^/]+\/)?[^@':]+)@/gm).map(([, name]) => name))
const lockedVersions = new Set(lockfile.matchAll(/^ {2}'?((?:@[^/]+\/)?[^@':]+@[^'(:]+)/gm).map(([, name]) => name))
const missing = []
let packages = 0
for (const { name, version, optionalDependencies = {} } of installed()) {
  // Left over from an earlier installation.
  if (!lockedVersions.has(`${name}@${version}`)) continue
  packages++
  for (const [dependency, range] of Object.entries(optionalDependencies)) {
    const isLocked = /^\d/.test(range) ? lockedVersions.has(`${dependency}@${range}`) : locked.has(dependency)
    if (!isLocked) missing.push(`${name} ${version}: ${dependency} ${range} is not in pnpm-lock.yaml`)
  }
}
if (/https?:\/\/|tarball:/.test(lockfile)) missing.push('pnpm-lock.yaml names a registry or an address')
if (packages < 100) missing.push(`only ${packages} installed packages found: this check looks in the wrong place`)
for (const line of missing) console.log(line)
process.exitCode = missing.length === 0 ? 0 : 1

function* installed() {
  const store = 'node_modules/.pnpm'
  for (const entry of readdirSync(store)) {
    const modules = join(store, entry, 'node_modules')
    if (!existsSync(modules)) continue
    for (const name of packageNames(modules)) {
      const manifest = join(modules, name, 'package.json')
      if (existsSync(manifest)) yield JSON.parse(readFileSync(manifest, 'utf8'))
    }
  }
}

function packageNames(modules) {
  return ownFolders(modules).flatMap((name) =>
    name.startsWith('@') ? ownFolders(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
}

// A link leads to another package's own folder.
function ownFolders(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
}
