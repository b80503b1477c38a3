import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe } from 'vitest'

/** A file of the repository. */
export const fileOf = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** The independent reader of the stored format, in Python. */
export const reader: string = fileOf('tools/read_sessiontree.py')

interface ReaderResult {
  readonly status: number | null
  readonly output: string
}

/** Runs it; returns its exit code and everything that it printed. */
export function runReader(...args: string[]): ReaderResult {
  return runPython(reader, ...args)
}

/** Checks a file of test vectors with its functions. */
export function checkVectors(file: string): ReaderResult {
  return runPython(fileOf('packages/core/test/check_vectors.py'), file)
}

// Only the standard library, and nothing left behind.
function runPython(...args: string[]): ReaderResult {
  const { status, stdout, stderr } = spawnSync('python3', ['-I', '-B', ...args], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

const hasPython = spawnSync('python3', ['--version']).status === 0

/** Tests that need Python: without it they are shown as skipped; in CI, where it is installed, they fail. */
export const describeReader: typeof describe.skip = describe.skipIf(!hasPython && !process.env['CI'])
