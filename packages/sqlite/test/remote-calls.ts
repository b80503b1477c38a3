import { ConflictError, CorruptError, SessionError, type ErrorCode } from '@sessiontree/core'
import type { CommitFault } from './observed-driver.ts'

/** What a process is asked for. Handles and iterators stay there and have numbers. */
export type Call =
  | {
      readonly do: 'open'
      readonly file: string
      readonly durability: 'disk' | 'process'
      readonly fault?: CommitFault
    }
  | { readonly do: 'call'; readonly handle: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly do: 'iterate'; readonly handle: number; readonly method: Method; readonly args: readonly unknown[] }
  | { readonly do: 'next'; readonly iterator: number }
  | { readonly do: 'return'; readonly iterator: number }
  | { readonly do: 'abort'; readonly call: number }

export type Method = 'append' | 'drop' | 'get' | 'put' | 'remove' | 'close' | 'read' | 'logs' | 'keys'

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: PlainError
}

/** An error on its way between processes. */
interface PlainError {
  readonly isAbort?: boolean
  readonly code?: ErrorCode
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The reason with which the other process aborts: the caller's own cannot travel. */
export const ABORTED: Error = new Error('aborted by the other process')

export function toPlain(error: unknown): PlainError {
  if (error === ABORTED) return { isAbort: true, message: '' }
  const message = error instanceof Error ? error.message : String(error)
  if (!SessionError.is(error)) return { message }
  const { code, written, retry, cause } = error
  const { atLeast, log, at, where } = error as Partial<ConflictError & CorruptError>
  const fields = {
    written,
    retry,
    atLeast,
    log,
    at,
    where,
    ...(cause === undefined ? {} : { cause: cause instanceof Error ? cause.message : 'no error' }),
  }
  return { code, message, fields }
}

export function fromPlain({ code, message, fields = {} }: PlainError): Error {
  if (code === undefined) return new Error(message)
  const options = { ...fields, ...('cause' in fields && { cause: new Error(String(fields['cause'])) }) }
  if (code === 'CONFLICT') return new ConflictError(message, options)
  return code === 'CORRUPT' ? new CorruptError(message, options) : new SessionError(code, message, options)
}
