import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { assertId } from './assert-id.ts'
import { InputError } from './input-error.ts'

/** The places that the demo can record into. */
const ADAPTERS = ['node-fs', 'sqlite', 'memory', 's3'] as const
export type AdapterName = (typeof ADAPTERS)[number]

/** How the recording process is killed. */
export const KILLS = ['tool', 'write', 'torn'] as const
export type Kill = (typeof KILLS)[number]

/** What to record and where; plain JSON, so that it can be handed to a child process. */
export interface Settings {
  readonly adapter: AdapterName
  /** node-fs, sqlite: the folder of the store. s3: the prefix in the bucket. memory: nothing. */
  readonly dir: string
  /** The session's id. Default: the transcript's own. */
  readonly id: string | undefined
  /** The file to record. Default: a generated transcript. */
  readonly transcript: string | undefined
  readonly kill: Kill
  /** Decides where in the transcript the process is killed. */
  readonly seed: number
}

export const HELP = `Records an agent's transcript entry by entry in a process that is killed with SIGKILL in the middle of a turn. A second one
shows that nothing acknowledged is missing, moves the leaf back and branches; a third one finishes the transcript and
checks all of it.

usage: demo [--adapter node-fs|sqlite|memory|s3] [--dir DIR] [--id ID] [--seed N] [--kill tool|write|torn] [transcript.jsonl]

  transcript.jsonl  a session file of the pi coding agent, versions 1 to 3; without one a transcript is generated
  --adapter NAME    where to record: node-fs (default), sqlite, memory or s3
  --dir DIR         node-fs, sqlite: the folder to record into; s3: the prefix in the bucket; default: a new one
  --id ID           the session's id; default: the transcript's own
  --seed N          decides at which tool call the process is killed; default: 1
  --kill HOW        tool (default): while a tool runs; write: while its result is being written, which may get there or not;
                    torn: as tool, and half a line is left behind the last one, as by a power cut (node-fs only)
  --help            this text

s3 talks to the server that S3_TEST_ENDPOINT, S3_TEST_REGION, S3_TEST_ACCESS_KEY_ID, S3_TEST_SECRET_ACCESS_KEY,
S3_TEST_BUCKET and S3_TEST_FORCE_PATH_STYLE name, else to a stub that lives as long as the demo.
Exit codes: 0 all is well, 1 something failed or does not match, 2 bad input, 130 interrupted.`

const OPTIONS = {
  adapter: { type: 'string', default: 'node-fs' },
  dir: { type: 'string' },
  id: { type: 'string' },
  seed: { type: 'string', default: '1' },
  kill: { type: 'string', default: 'tool' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/**
 * Reads the command line; undefined means that help was asked for.
 *
 * @throws {InputError} that says what is wrong.
 */
export function parseSettings(args: readonly string[], cwd: string): Settings | undefined {
  // pnpm and npm may hand over the `--` that ended their own options.
  const { values, positionals } = parse(args[0] === '--' ? args.slice(1) : args)
  if (values.help) return undefined
  const adapter = ADAPTERS.find((name) => name === values.adapter)
  if (!adapter) throw new InputError(`unknown adapter ${JSON.stringify(values.adapter)}; use ${ADAPTERS.join(', ')}`)
  if (positionals.length > 1) throw new InputError(`one transcript at a time, got ${positionals.length}`)
  if (values.dir === '') throw new InputError('--dir: expected a name')
  if (adapter === 'memory' && values.dir !== undefined) {
    throw new InputError('--dir: memory has no place outside this process; use node-fs, sqlite or s3')
  }
  const kill = KILLS.find((name) => name === values.kill)
  if (!kill) throw new InputError(`--kill: unknown way ${JSON.stringify(values.kill)}; use ${KILLS.join(', ')}`)
  if (kill === 'torn' && adapter !== 'node-fs') throw new InputError('--kill torn: only node-fs has lines to tear')
  if (kill === 'write' && adapter === 'memory') {
    throw new InputError(
      '--kill write: memory has no process of its own that could be killed; use node-fs, sqlite or s3',
    )
  }
  if (values.id !== undefined) assertId(values.id, '--id')
  const [transcript] = positionals
  return {
    adapter,
    dir: placeOf(adapter, values.dir, cwd),
    id: values.id,
    transcript: transcript === undefined ? undefined : resolve(cwd, transcript),
    kill,
    seed: parseSeed(values.seed),
  }
}

const MOST_SEED = 2 ** 32 - 1

function parseSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : NaN
  if (seed <= MOST_SEED) return seed
  throw new InputError(`--seed: expected a whole number from 0 to ${MOST_SEED}, got ${JSON.stringify(text)}`)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true })
  } catch (error) {
    throw new InputError(`${(error as Error).message.split('\n')[0]?.split('. ')[0]}; --help shows the options`)
  }
}

function placeOf(adapter: AdapterName, dir: string | undefined, cwd: string): string {
  const fresh = `sessiontree-demo-${randomBytes(4).toString('hex')}`
  if (adapter === 'memory') return ''
  if (adapter === 's3') return dir ?? fresh
  return dir === undefined ? join(tmpdir(), fresh) : resolve(cwd, dir)
}
