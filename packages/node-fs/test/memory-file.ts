import type { FileSystem } from '../src/file-system.ts'
import { localFileSystem } from '../src/file-system.ts'
import { LineFile } from '../src/line-file.ts'
import type { Batch } from '../src/line.ts'

/** One file in memory, which several writers can have open; the next write can be cut short. */
export class MemoryFile {
  bytes: Buffer
  cutNextWrite: number | undefined
  #opened = 0

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.bytes = bytes
  }

  open(tree: 'log' | 'doc' = 'log', isDurable: boolean = true): LineFile {
    const by = `writer-${++this.#opened}`
    return new LineFile(this.#system(), 1, { path: '/memory.jsonl', name: 'memory', tree, by, isDurable })
  }

  #system(): FileSystem {
    return {
      ...localFileSystem,
      fstat: () =>
        ({ size: this.bytes.length, nlink: 1, dev: 1, ino: 1, birthtimeMs: 1 }) as ReturnType<FileSystem['fstat']>,
      read: (_file, into, from, position) =>
        this.bytes.copy(into, from, position, Math.min(this.bytes.length, position + into.length - from)),
      write: (_file, bytes) => {
        const written = Math.min(bytes.length, this.cutNextWrite ?? Infinity)
        this.cutNextWrite = undefined
        this.bytes = Buffer.concat([this.bytes, bytes.subarray(0, written)])
        return written
      },
      close: () => {},
      flush: async () => {},
    }
  }
}

/** The records of batches, each with its index. */
export function indexed(batches: Iterable<Batch>): [at: number, text: string][] {
  return [...batches].flatMap(({ at, texts }) => texts().map((text, i): [number, string] => [at + i, text]))
}
