import { SessionError } from '@sessiontree/core'
import { InputError } from './input-error.ts'
import { Interrupted } from './interrupt.ts'
import { visible } from './preview.ts'

export const FAILED = 1
const BAD_INPUT = 2

/** Says on standard error what went wrong, in one line unless it is a fault of the demo itself; returns the exit code. */
export function explain(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode
  if (error instanceof InputError) {
    console.error(`node-agent: ${visible(error.message)}`)
    return BAD_INPUT
  }
  if (SessionError.is(error)) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message || error.cause.name})` : ''
    console.error(`node-agent: ${error.code}: ${visible(error.message + cause)}`)
    return FAILED
  }
  console.error(error)
  return FAILED
}

/** Ends this process quietly when whoever reads its output has gone, as `head` does. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}
