import { closeSync, constants, fstatSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Costs } from '@sessiontree/contract'
import { localFileSystem, type FileSystem } from '../src/file-system.ts'
import { systemError } from './observed-system.ts'

/** A store's folder as a machine sees it: what reached the disk, what it cost, and which processes still live. */
export class ContractPlace {
  readonly root: string
  readonly #durability: 'disk' | 'process'
  readonly #spent = { operations: 0, bytesRead: 0, bytesWritten: 0 }
  /** How many bytes of a file would survive the machine, by path; of those written since the store was made. */
  readonly #flushed: Map<string, number> = new Map()
  /** Files, and folders, whose names would not survive the machine. */
  readonly #unnamed: Set<string> = new Set()
  #process = new Process()

  constructor(root: string, durability: 'disk' | 'process') {
    this.root = root
    this.#durability = durability
  }

  get costs(): Costs {
    return { ...this.#spent }
  }

  /** The file system as the running process sees it. */
  system(): FileSystem {
    const process = this.#process
    const paths = new Map<number, string>()
    const counted =
      <Args extends readonly unknown[], Result>(call: (...args: Args) => Result) =>
      (...args: Args): Result => {
        process.assertAlive()
        this.#spent.operations++
        return call(...args)
      }
    const passing = Object.entries(localFileSystem).map(([name, call]) => [name, counted(call as () => unknown)])
    return {
      ...(Object.fromEntries(passing) as FileSystem),
      open: counted((path: string, flags: number) => {
        if ((flags & constants.O_CREAT) !== 0 && !exists(path)) this.#unnamed.add(path)
        const file = localFileSystem.open(path, flags)
        paths.set(file, path)
        process.files.add(file)
        return file
      }),
      close: counted((file: number) => {
        process.files.delete(file)
        localFileSystem.close(file)
      }),
      read: counted((file: number, into: Buffer, from: number, position: number) => {
        const bytes = localFileSystem.read(file, into, from, position)
        this.#spent.bytesRead += bytes
        return bytes
      }),
      write: counted((file: number, bytes: Buffer) => {
        const path = paths.get(file) ?? ''
        if (!this.#flushed.has(path)) this.#flushed.set(path, fstatSync(file).size)
        const written = localFileSystem.write(file, bytes)
        this.#spent.bytesWritten += written
        return written
      }),
      flush: counted((file: number) => {
        const [path, { size }] = [paths.get(file) ?? '', fstatSync(file)]
        return process.wait(localFileSystem.flush(file).then(() => void this.#flushed.set(path, size)))
      }),
      flushFolder: counted((path: string) => {
        const named = [...this.#unnamed].filter((one) => dirname(one) === path)
        const flushed = localFileSystem.flushFolder(path)
        return process.wait(flushed.then(() => named.forEach((one) => this.#unnamed.delete(one))))
      }),
      makeFolder: counted((path: string) => {
        const made = localFileSystem.makeFolder(path)
        // From the one asked for up to the first that was made.
        for (let folder = made && path; folder !== undefined; folder = folder === made ? undefined : dirname(folder)) {
          this.#unnamed.add(folder)
        }
        return made
      }),
      link: counted((from: string, to: string) => {
        localFileSystem.link(from, to)
        this.#unnamed.add(to)
        this.#move(from, to)
      }),
      rename: counted((from: string, to: string) => {
        localFileSystem.rename(from, to)
        this.#move(from, to)
      }),
    }
  }

  /** Ends the process; with durability "disk" the machine as well: of what was not flushed, half of each file's bytes are left. */
  async crash(): Promise<void> {
    await this.#process.die()
    this.#process = new Process()
    if (this.#durability === 'process') return
    for (const [path, flushed] of this.#flushed) {
      if (!exists(path)) continue
      const { size } = statSync(path)
      if (size > flushed) truncateSync(path, flushed + Math.ceil((size - flushed) / 2))
    }
    for (const path of this.#unnamed) rmSync(path, { recursive: true, force: true })
    this.#flushed.clear()
    this.#unnamed.clear()
  }

  /** Changes one character of a record's line; its whole batch cannot be read any more. */
  damage(log: string, at: number): readonly number[] {
    const path = this.#file('log', log)
    const lines = readFileSync(path, 'latin1').split('\n')
    const heads = lines.map(parseLine)
    const index = heads.findLastIndex((head) => head?.at === at)
    const damaged = heads[index]
    if (!damaged) throw new TypeError(`there is no record ${at} in ${path}`)
    lines[index] = spoil(lines[index] ?? '')
    writeFileSync(path, lines.join('\n'), 'latin1')
    return heads.flatMap((head) => (head?.pos === damaged.pos && head.by === damaged.by ? [head.at] : []))
  }

  damageDocument(key: string): void {
    const path = this.#file('doc', key)
    const lines = readFileSync(path, 'latin1').split('\n')
    const last = lines.findLastIndex((line) => parseLine(line))
    lines[last] = spoil(lines[last] ?? '')
    writeFileSync(path, lines.join('\n'), 'latin1')
  }

  #file(tree: 'log' | 'doc', name: string): string {
    return `${join(this.root, tree, ...name.split('/'))}.jsonl`
  }

  #move(from: string, to: string): void {
    const flushed = this.#flushed.get(from)
    if (flushed !== undefined) this.#flushed.set(to, flushed)
    else this.#flushed.delete(to)
  }
}

/** The handles of one life: what they have open, and what they wait for. */
class Process {
  readonly files: Set<number> = new Set()
  readonly #waiting: Set<Promise<unknown>> = new Set()
  #alive = true

  assertAlive(): void {
    if (!this.#alive) throw systemError('EIO', 'anything after a crash')
  }

  /** Passes on what a flush says, unless the process died meanwhile: then nobody hears of it, and it did not happen in time. */
  wait<Result>(flush: Promise<Result>): Promise<Result> {
    this.#waiting.add(flush)
    return flush.finally(() => {
      this.#waiting.delete(flush)
      this.assertAlive()
    })
  }

  async die(): Promise<void> {
    this.#alive = false
    await Promise.allSettled(this.#waiting)
    for (const file of this.files) closeSync(file)
    this.files.clear()
  }
}

interface Line {
  readonly at: number
  readonly pos: number
  readonly by: string
}

function parseLine(line: string): Line | undefined {
  try {
    const parsed = JSON.parse(line) as Partial<Line> | null
    return typeof parsed?.at === 'number' ? (parsed as Line) : undefined
  } catch {
    return undefined
  }
}

/** Changes a character in the middle of a line to another one that is no line feed either. */
function spoil(line: string): string {
  const middle = Math.floor(line.length / 2)
  return `${line.slice(0, middle)}${line[middle] === 'x' ? 'y' : 'x'}${line.slice(middle + 1)}`
}

const exists = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined
