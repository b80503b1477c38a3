import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { commandFor } from './processes.ts'

/** Why faults cannot be injected into system calls here; undefined if they can. */
export function straceIsMissing(): string | undefined {
  if (process.platform !== 'linux') return 'strace is there on Linux only'
  const { error, status, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'])
  if (error) return `strace cannot be run: ${error.message}`
  if (status !== 0) return `strace cannot trace: ${String(stderr).trim()}`
  return undefined
}

/** One system call of a process. */
export interface SystemCall {
  /** Without the `at` that newer ones end in. */
  readonly name: string
  /** The paths that it was given, or that its file descriptors stand for. */
  readonly paths: readonly string[]
  readonly isInjected: boolean
}

/** What a traced process did. */
export interface Traced {
  /** The signal that ended it, if one did. */
  readonly killedBy: string | undefined
  readonly errors: string
  readonly calls: readonly SystemCall[]
}

/** What to do to the n-th call of a name. */
export interface Fault {
  readonly call: string
  /** As strace has it: `error=EIO`, `signal=KILL`. The signal comes before the call. */
  readonly effect: string
  readonly n: number
}

/** What to trace, and what to do to it. */
export interface TraceOptions {
  readonly calls: readonly string[]
  /** Only calls on these. Default: all. */
  readonly paths?: readonly string[]
  readonly fault?: Fault
  /** Where strace may write. */
  readonly output: string
}

/** Runs a file under strace. */
export function traced(file: URL, plan: object, { calls, paths = [], fault, output }: TraceOptions): Promise<Traced> {
  const args = ['-f', '-q', '-y', '-s', '0', '-o', output, '-e', `trace=${calls.flatMap(variants).join(',')}`]
  // Faster, but strace 6.1 then sends no signals.
  if (!fault?.effect.startsWith('signal=')) args.push('--seccomp-bpf')
  if (fault) args.push('-e', `inject=${variants(fault.call).join(',')}:${fault.effect}:when=${fault.n}`)
  for (const path of paths) args.push('-P', path)
  // strace counts the calls of each thread: with one thread beside the main one the n-th flush is the n-th of the process.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  return new Promise((resolve) => {
    execFile('strace', [...args, ...commandFor(file, plan)], { env }, (_error, _stdout, errors) => {
      const text = readFileSync(output, 'utf8')
      const killedBy = /\+\+\+ killed by (SIG\w+)/.exec(text)?.[1]
      resolve({ killedBy, errors, calls: text.split('\n').flatMap(parse) })
    })
  })
}

// Which of them there are depends on the processor; strace passes over those with a question mark that it does not know.
const variants = (name: string) => ['', 'at', 'at2'].map((ending) => `?${name}${ending}`)

function parse(line: string): SystemCall[] {
  const name = /^\d+ +(\w+?)(?:at2?)?\(/.exec(line)?.[1]
  if (name === undefined) return []
  const paths = Array.from(line.matchAll(/["<](\/[^">]*)[">]/g), ([, path = '']) => path)
  return [{ name, paths, isInjected: line.includes('(INJECTED)') }]
}
