import type { Dirent, Stats } from 'node:fs'
import { GrowingBytes } from './growing-bytes.ts'
import type { SeededRandom } from './seeded-random.ts'

const BLOCK = 512
const DEVICE = 1

/** What a folder can hold. */
export type Node = SimulatedFile | SimulatedFolder | SimulatedLink

abstract class Inode {
  readonly inode: number
  readonly born: number
  changed: number
  abstract readonly kind: 'file' | 'folder' | 'link'

  constructor(inode: number, now: number) {
    this.inode = inode
    this.born = now
    this.changed = now
  }

  stats(): Stats {
    const { inode: ino, born: birthtimeMs, changed: mtimeMs } = this
    return { dev: DEVICE, ino, birthtimeMs, mtimeMs, size: this.size, nlink: this.links, ...this.#is() } as Stats
  }

  dirent(name: string, parentPath: string): Dirent {
    return { name, parentPath, ...this.#is() } as Dirent
  }

  get size(): number {
    return 0
  }

  get links(): number {
    return 1
  }

  #is(): { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean } {
    return {
      isFile: () => this.kind === 'file',
      isDirectory: () => this.kind === 'folder',
      isSymbolicLink: () => this.kind === 'link',
    }
  }
}

interface Write {
  readonly order: number
  readonly from: number
  readonly to: number
}

/** A file: what the page cache holds of it, and what the disk does. */
export class SimulatedFile extends Inode {
  readonly kind = 'file'
  names = 0
  /** How many writes there were, and how many flushes failed. */
  writes = 0
  failures = 0
  #cached = new GrowingBytes()
  #saved = new GrowingBytes()
  /** What no flush has saved yet, and none has lost. */
  #unsaved: Write[] = []

  /** What everybody reads. */
  get bytes(): Buffer {
    return this.#cached.view
  }

  override get size(): number {
    return this.#cached.length
  }

  override get links(): number {
    return this.names
  }

  read(into: Buffer, from: number, position: number): number {
    return position >= this.size ? 0 : this.bytes.copy(into, from, position)
  }

  write(at: number, bytes: Buffer, now: number): void {
    if (bytes.length === 0) return
    this.#cached.write(at, bytes)
    this.changed = now
    this.#unsaved.push({ order: this.writes++, from: at, to: at + bytes.length })
  }

  /** Puts on the disk what the first `upTo` writes wrote. */
  save(upTo: number): void {
    for (const { order, from, to } of this.#unsaved) if (order < upTo) this.#saveBytes(from, to)
    this.#unsaved = this.#unsaved.filter(({ order }) => order >= upTo)
  }

  /** A flush failed: the system takes the pages for clean from now on; `drop` throws them away as well. */
  lose(upTo: number, drop: boolean): void {
    this.failures++
    if (drop) {
      for (const { order, from, to } of this.#unsaved) {
        if (order < upTo) this.#cached.write(from, this.#saved.stretch(from, to))
      }
    }
    this.#unsaved = this.#unsaved.filter(({ order }) => order >= upTo)
  }

  /** What the disk has after a loss of power: the saved bytes, and of the others what the seed says. */
  losePower(random: SeededRandom): void {
    const outcome = random.pick(['nothing', 'everything', 'start', 'blocks', 'size'])
    const unsaved = this.#unsaved.reduce((sum, { from, to }) => sum + to - from, 0)
    let left = random.between(0, unsaved)
    for (const { from, to } of this.#unsaved) {
      if (outcome === 'everything') this.#saveBytes(from, to)
      if (outcome === 'size') this.#saveSize(from, to)
      if (outcome === 'blocks') this.#saveSomeBlocks(from, to, random)
      if (outcome === 'start' && left > 0) this.#saveBytes(from, Math.min(to, from + left))
      left -= to - from
    }
    this.#unsaved = []
    this.#cached = new GrowingBytes(this.#saved.view)
  }

  #saveBytes(from: number, to: number): void {
    this.#saved.write(from, this.#cached.stretch(from, to))
  }

  /** The size of a file may reach the disk before its bytes do. */
  #saveSize(from: number, to: number): void {
    this.#saved.write(from, this.#saved.stretch(from, to))
  }

  #saveSomeBlocks(from: number, to: number, random: SeededRandom): void {
    for (let start = from; start < to;) {
      const end = Math.min(to, (Math.floor(start / BLOCK) + 1) * BLOCK)
      if (random.chance(0.5)) this.#saveBytes(start, end)
      else this.#saveSize(start, end)
      start = end
    }
  }
}

/** A change of a folder: names that lead somewhere else from now on, or nowhere; all at once. */
type Change = readonly (readonly [name: string, node: Node | undefined])[]

/** A folder: the entries that everybody sees, and those on the disk. */
export class SimulatedFolder extends Inode {
  readonly kind = 'folder'
  readonly entries: Map<string, Node> = new Map()
  changes = 0
  #saved: Map<string, Node> = new Map()
  #unsaved: { readonly order: number; readonly change: Change }[] = []

  change(change: Change): void {
    apply(this.entries, change)
    this.#unsaved.push({ order: this.changes++, change })
  }

  save(upTo: number): void {
    for (const { order, change } of this.#unsaved) if (order < upTo) applyQuietly(this.#saved, change)
    this.#unsaved = this.#unsaved.filter(({ order }) => order >= upTo)
  }

  losePower(random: SeededRandom): void {
    const kept = random.between(0, this.#unsaved.length)
    for (const { change } of this.#unsaved.slice(0, kept)) applyQuietly(this.#saved, change)
    this.#unsaved = []
    const names = new Set([...this.entries.keys(), ...this.#saved.keys()])
    const nodes = new Set([...this.entries.values(), ...this.#saved.values()])
    for (const name of [...names].toSorted()) {
      if (this.entries.get(name) !== this.#saved.get(name)) apply(this.entries, [[name, this.#saved.get(name)]])
    }
    for (const node of nodes) if (!(node instanceof SimulatedLink)) node.losePower(random)
  }
}

/** A symbolic link. */
export class SimulatedLink extends Inode {
  readonly kind = 'link'
  readonly target: string

  constructor(inode: number, now: number, target: string) {
    super(inode, now)
    this.target = target
  }
}

function apply(entries: Map<string, Node>, change: Change): void {
  for (const [name, node] of change) {
    const before = entries.get(name)
    if (before instanceof SimulatedFile) before.names--
    if (node instanceof SimulatedFile) node.names++
  }
  applyQuietly(entries, change)
}

function applyQuietly(entries: Map<string, Node>, change: Change): void {
  for (const [name, node] of change) {
    if (node) entries.set(name, node)
    else entries.delete(name)
  }
}
