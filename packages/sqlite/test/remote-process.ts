import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  defineAdapter,
  type Document,
  type RecordBatch,
  type Removal,
  type Signal,
  type StorageAdapter,
} from '@sessiontree/core'
import type { CommitFault } from './observed-driver.ts'
import { fromPlain, type Answer, type Call, type Method } from './remote-calls.ts'

const SCRIPT = fileURLToPath(new URL('handle-process.ts', import.meta.url))

/** A process that holds handles for this one. */
export class RemoteProcess {
  readonly #child: ChildProcess
  readonly #waiting: Map<
    number,
    { signal: Signal | undefined; resolve(value: unknown): void; reject(error: unknown): void }
  > = new Map()
  #calls = 0

  constructor() {
    this.#child = fork(SCRIPT, {
      execArgv: ['--conditions=@sessiontree/source', '--disable-warning=ExperimentalWarning'],
      serialization: 'advanced',
    })
    this.#child.on('message', ({ id, value, error }: Answer) => {
      const caller = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) caller?.resolve(value)
      else caller?.reject(error.isAbort === true ? caller.signal?.reason : fromPlain(error))
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process is gone'))
      this.#waiting.clear()
    })
  }

  /** Opens a handle in that process. */
  async open(file: string, durability: 'disk' | 'process', fault?: CommitFault): Promise<StorageAdapter> {
    const handle = (await this.#send({ do: 'open', file, durability, ...(fault && { fault }) })) as number
    const call = <Result>(method: Method, args: readonly unknown[], signal?: Signal) =>
      this.#send({ do: 'call', handle, method, args }, signal) as Promise<Result>
    const iterate = <Item>(method: 'read' | 'logs' | 'keys', args: readonly [string, object], signal?: Signal) =>
      this.#iterate<Item>({ do: 'iterate', handle, method, args }, signal)
    // Arguments, `CLOSED` and idle iterators are this process's own business.
    return defineAdapter({
      name: 'sqlite',
      capabilities: { durability, sharing: 'process', watch: false },
      append: (log, at, records, signal) => call('append', [log, at, records, {}], signal),
      read: (log, { signal, to, limit, ...range }) =>
        iterate<RecordBatch>('read', [log, { ...range, ...finite({ to, limit }) }], signal),
      drop: (log, forget, signal) => call<Removal>('drop', [log, { forget }], signal),
      logs: (prefix, { after, limit, signal }) => iterate('logs', [prefix, { after, ...finite({ limit }) }], signal),
      get: (key, signal) => call<Document | undefined>('get', [key, {}], signal),
      put: (key, value, expect, signal, forget) => call<string>('put', [key, value, { expect, forget }], signal),
      remove: (key, expect, forget, signal) =>
        call<Removal>('remove', [key, { forget, ...(expect === undefined ? {} : { expect }) }], signal),
      keys: (prefix, { after, limit, signal }) => iterate('keys', [prefix, { after, ...finite({ limit }) }], signal),
      close: () => call('close', []),
    })
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async *#iterate<Item>(call: Call, signal: Signal | undefined): AsyncGenerator<Item> {
    const iterator = (await this.#send(call, signal)) as number
    let isDone = false
    try {
      for (;;) {
        const step = (await this.#send({ do: 'next', iterator }, signal)) as IteratorResult<Item>
        isDone = step.done === true
        if (step.done) return
        yield step.value
      }
    } finally {
      if (!isDone) await this.#send({ do: 'return', iterator }).catch(() => {})
    }
  }

  #send(call: Call, signal?: Signal): Promise<unknown> {
    const id = ++this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { signal, resolve, reject })
      signal?.addEventListener('abort', () => this.#child.connected && this.#child.send({ do: 'abort', call: id }), {
        once: true,
      })
      this.#child.send({ id, ...call }, (error) => error && reject(error))
    })
  }
}

function finite(values: Readonly<Record<string, number>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== Infinity))
}
