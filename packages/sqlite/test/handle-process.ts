import { flushCompileCache } from 'node:module'
import type { StorageAdapter } from '@sessiontree/core'
import { nodeSqlite, sqlite } from '../src/index.ts'
import { observed } from './observed-driver.ts'
import { ABORTED, toPlain, type Answer, type Call } from './remote-calls.ts'

// A process that holds handles for another one: does what it is told over IPC.

const handles: Map<number, StorageAdapter> = new Map()
const iterators: Map<number, AsyncIterator<unknown>> = new Map()
const running: Map<number, AbortController> = new Map()

process.on('message', (message: Call & { readonly id: number }) => {
  if (message.do === 'abort') {
    running.get(message.call)?.abort(ABORTED)
    return
  }
  const answer = (rest: Omit<Answer, 'id'>) => process.send?.({ id: message.id, ...rest })
  perform(message.id, message)
    .then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: toPlain(error) }),
    )
    .finally(() => running.delete(message.id))
})
// A killed process writes nothing, and every later one would strip the types of all files again.
flushCompileCache()
process.on('disconnect', () => process.exit())

async function perform(id: number, call: Exclude<Call, { do: 'abort' }>): Promise<unknown> {
  if (call.do === 'open') {
    const { file, durability, fault } = call
    const seen = { operations: 0, bytesRead: 0, bytesWritten: 0 }
    handles.set(id, sqlite(file, { durability, driver: observed(nodeSqlite, seen, fault) }))
    return id
  }
  if (call.do === 'next') return iterators.get(call.iterator)?.next()
  if (call.do === 'return') return iterators.get(call.iterator)?.return?.()
  const handle = handles.get(call.handle) as unknown as Record<string, (...args: unknown[]) => unknown>
  const controller = new AbortController()
  running.set(id, controller)
  const args = call.args.map((arg) => (isOptions(arg) ? { ...arg, signal: controller.signal } : arg))
  const result = handle[call.method]?.(...args)
  if (call.do === 'call') return result
  iterators.set(id, (result as AsyncIterable<unknown>)[Symbol.asyncIterator]())
  return id
}

const isOptions = (arg: unknown): arg is object => typeof arg === 'object' && arg !== null && !Array.isArray(arg)
