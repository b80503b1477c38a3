import type { Signal } from '../runtime.ts'
import { decodeValue, type StoredValue } from './stored-value.ts'
import type { TextView } from './text-view.ts'

/** What a log will hold once the append in the making is committed: what `derive` decides from. */
export interface LogDraft<Value> {
  readonly incarnation: number
  /** How many values there are, drafted ones included: the index that the next one gets. */
  readonly length: number
  /** How many of them are committed. */
  readonly committed: number
  /** Those of calls that share the append and go before this one. They may yet come to nothing: remember nothing of them. */
  readonly drafted: readonly StoredValue<Value>[]
  /** The committed values from an index on, oldest first. */
  read(from: number, signal?: Signal): AsyncGenerator<StoredValue<Value>, void, void>
}

/** Decides what is appended, seeing the log as it will be before it. Asked again whenever others were first; throws to append nothing. */
export type Derive<Value> = (log: LogDraft<Value>) => readonly Value[] | Promise<readonly Value[]>

export function draftOf<Value>(view: TextView, drafted: readonly StoredValue<Value>[]): LogDraft<Value> {
  const { incarnation, length: committed } = view
  return {
    incarnation,
    committed,
    length: committed + drafted.length,
    drafted,
    async *read(from, signal) {
      for await (const { at, text } of view.read(from, committed, signal)) {
        yield storedFrom<Value>(text, { incarnation, at, log: view.log })
      }
    },
  }
}

/** The value in a record that is known not to end the log. */
export function storedFrom<Value>(
  text: string,
  { incarnation, at, log }: { readonly incarnation: number; readonly at: number; readonly log: string },
): StoredValue<Value> {
  const decoded = decodeValue(text, at, log) as { readonly value: Value }
  return { incarnation, at, value: decoded.value }
}
