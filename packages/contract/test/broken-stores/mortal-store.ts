import {
  CorruptError,
  SessionError,
  UncertainError,
  type ReadRange,
  type RecordBatch,
  type StorageAdapter,
} from '@sessiontree/core'
import { memory, MemoryStore } from '@sessiontree/memory'
import { delegate } from '../../src/delegate.ts'
import type { Costs, TestStore, WriteOperation } from '../../src/harness.ts'
import { losingNextAnswer } from '../../src/losing-answer.ts'
import type { Fault } from './broken-store.ts'

/**
 * A store in memory that can be damaged, crash, vanish and count: what a harness of a real place does below its adapter. Correct
 * without a fault; a fault may look into it and change it past every check.
 */
export class MortalStore implements TestStore {
  readonly memory: MemoryStore = new MemoryStore()
  /** Records that cannot be read, as `log at`, and documents by key. */
  readonly damagedRecords: Set<string> = new Set()
  readonly damagedDocuments: Set<string> = new Set()
  /** Counts the crashes; a handle of an earlier life is dead. */
  lives = 0
  /** What a crash does to what is stored, if a fault wants it so. */
  onCrash: () => void = () => {}
  isGone = false
  /** Whether the next flush fails. */
  failsNextFlush = false
  readonly spent = { operations: 0, bytesRead: 0, bytesWritten: 0 }
  readonly #plant: (store: MortalStore) => Fault
  #fault: Fault | undefined

  constructor(plant: (store: MortalStore) => Fault = () => () => ({})) {
    this.#plant = plant
  }

  async open(): Promise<StorageAdapter> {
    this.#fault ??= this.#plant(this)
    const handle = this.#mortal(memory({ store: this.memory }))
    return delegate(handle, this.#fault(handle))
  }

  async openLosingNextAnswer(operation: WriteOperation): Promise<StorageAdapter> {
    return losingNextAnswer(await this.open(), operation)
  }

  async openFailingNextFlush(): Promise<StorageAdapter> {
    this.failsNextFlush = true
    return this.open()
  }

  async damage(log: string, at: number): Promise<readonly number[]> {
    this.damagedRecords.add(`${log} ${at}`)
    return [at]
  }

  async damageDocument(key: string): Promise<void> {
    this.damagedDocuments.add(key)
  }

  async vanish(): Promise<void> {
    this.isGone = true
  }

  async crash(): Promise<void> {
    this.lives++
    this.onCrash()
    this.onCrash = () => {}
  }

  async costs(): Promise<Costs> {
    return { ...this.spent }
  }

  async destroy(): Promise<void> {}

  isDamaged(log: string, at: number): boolean {
    return this.damagedRecords.has(`${log} ${at}`)
  }

  #mortal(handle: StorageAdapter): StorageAdapter {
    const life = this.lives
    let poisoned = false
    const assertAlive = () => {
      if (life !== this.lives) throw new SessionError('IO', 'The process is dead.')
      if (this.isGone) throw new SessionError('UNAVAILABLE', 'The store is gone.')
    }
    const step = () => {
      this.spent.operations++
      assertAlive()
    }
    return delegate(handle, {
      append: async (log, at, records, options) => {
        assertAlive()
        if (poisoned) throw new UncertainError('A flush has failed.')
        await handle.append(log, at, records, options)
        step()
        this.spent.bytesWritten += sizeOf(records)
        if (!this.failsNextFlush) return
        this.failsNextFlush = false
        poisoned = true
        throw new UncertainError('The flush failed.')
      },
      read: (log, range) => this.#read(handle, log, range, step),
      drop: async (log, options) => {
        assertAlive()
        await handle.drop(log, options)
        step()
      },
      async *logs(prefix, options) {
        for await (const page of handle.logs(prefix, options)) {
          step()
          yield page
        }
        step()
      },
      get: async (key, options) => {
        const document = await handle.get(key, options)
        step()
        if (this.damagedDocuments.has(key)) throw new CorruptError('A document is damaged.', { where: key })
        this.spent.bytesRead += document?.value.length ?? 0
        return document
      },
      put: async (key, value, options) => {
        assertAlive()
        const version = await handle.put(key, value, options)
        step()
        this.spent.bytesWritten += value.length
        return version
      },
      remove: async (key, options) => {
        assertAlive()
        await handle.remove(key, options)
        step()
      },
      async *keys(prefix, options) {
        for await (const page of handle.keys(prefix, options)) {
          step()
          yield page
        }
        step()
      },
    })
  }

  async *#read(
    handle: StorageAdapter,
    log: string,
    range: ReadRange | undefined,
    step: () => void,
  ): AsyncGenerator<RecordBatch> {
    const { limit = Infinity, salvage = false, reverse = false } = range ?? {}
    const isSound = (at: number) => !this.isDamaged(log, at)
    let left = limit
    // With salvage the limit counts what is delivered, so the correct adapter must not cut for itself.
    const inner = salvage ? { ...range, limit: undefined } : range
    for await (const { at, records } of handle.read(log, inner)) {
      step()
      this.spent.bytesRead += sizeOf(records)
      for (const piece of pieces(at, records, isSound, reverse)) {
        if (piece.records.length === 0) {
          if (salvage) continue
          throw new CorruptError('A record is damaged.', { log, at: piece.at, where: `${log} ${piece.at}` })
        }
        if (left === 0) return
        const cut = reverse ? piece.records.slice(-Math.min(left, piece.records.length)) : piece.records.slice(0, left)
        left -= cut.length
        yield { at: reverse ? piece.at + piece.records.length - cut.length : piece.at, records: cut }
      }
    }
    step()
  }
}

/** The sound stretches of a batch in reading order; a damaged record is one without records. */
function pieces(
  at: number,
  records: readonly string[],
  isSound: (at: number) => boolean,
  reverse: boolean,
): RecordBatch[] {
  const found: { at: number; records: string[] }[] = []
  for (const [i, text] of records.entries()) {
    const last = found.at(-1)
    if (!isSound(at + i)) found.push({ at: at + i, records: [] })
    else if (last && last.records.length > 0) last.records.push(text)
    else found.push({ at: at + i, records: [text] })
  }
  return reverse ? found.toReversed() : found
}

const sizeOf = (records: readonly string[]) => records.reduce((sum, text) => sum + text.length, 0)
