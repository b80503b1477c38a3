import { constants, type Dirent } from 'node:fs'
import type { FileSystem } from '../../../packages/node-fs/src/file-system.ts'
import { SimulatedFile, SimulatedFolder, SimulatedLink, type Node } from './disk-nodes.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const LONGEST_FLUSH = 5
const MAX_LINKS_FOLLOWED = 8

interface OpenFile {
  readonly node: SimulatedFile
  readonly path: string
  readonly append: boolean
  readonly writable: boolean
  position: number
  /** The last failure of a flush that was reported here. */
  reported: number
}

/** A process died in the middle of a call. What it had under way never ends. */
export class Crash extends Error {}

/** One process on a {@link SimulatedDisk}: its file system, until it crashes. */
export class SimulatedProcess {
  readonly system: FileSystem
  /** Called when it crashes. */
  onCrash: () => void = () => {}
  isAlive = true
  readonly #disk: SimulatedDisk
  readonly #files: Map<number, OpenFile> = new Map()
  #callsLeft = Infinity

  /** @internal Made by {@link SimulatedDisk.start}. */
  constructor(disk: SimulatedDisk) {
    this.#disk = disk
    this.system = this.#fileSystem()
  }

  get openFiles(): number {
    return this.#files.size
  }

  /** Kills it: no call of it has any effect from now on, and none that is under way ends. */
  crash(): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.#files.clear()
    this.onCrash()
  }

  /** Kills it in the n-th call from now; a write is cut anywhere. */
  crashAfter(calls: number): void {
    this.#callsLeft = calls
  }

  #fileSystem(): FileSystem {
    return {
      open: (path, flags) => this.#call('open', path, () => this.#open(path, flags)),
      close: (file) => this.#call('close', this.#pathOf(file), () => this.#close(file)),
      fstat: (file) => this.#call('fstat', this.#pathOf(file), () => this.#file(file).node.stats()),
      stat: (path) => this.#call('stat', path, () => this.#find(path, 'stat').stats()),
      read: (file, into, from, position) =>
        this.#call('read', this.#pathOf(file), () => this.#file(file).node.read(into, from, position)),
      write: (file, bytes) =>
        this.#call(
          'write',
          this.#pathOf(file),
          () => this.#write(file, bytes),
          () => this.#append(this.#file(file), bytes.subarray(0, this.#disk.random.between(0, bytes.length))),
        ),
      flush: (file) => this.#call('flush', this.#pathOf(file), () => this.#flush(file)),
      flushFolder: (path) => this.#call('flushFolder', path, () => this.#flushFolder(path)),
      makeFolder: (path) => this.#call('makeFolder', path, () => this.#makeFolder(path)),
      readFolder: (path) => this.#call('readFolder', path, () => this.#readFolder(path)),
      removeFolder: (path) => this.#call('removeFolder', path, () => this.#removeFolder(path)),
      link: (from, to) => this.#call('link', to, () => this.#link(from, to)),
      rename: (from, to) => this.#call('rename', to, () => this.#rename(from, to)),
      unlink: (path) => this.#call('unlink', path, () => this.#unlink(path)),
    }
  }

  #call<Result>(call: keyof FileSystem, path: string, act: () => Result, half?: () => void): Result {
    if (!this.isAlive) throw new Crash(`${call} ${path} of a process that is dead`)
    this.#disk.beforeCall(this, call, path)
    if (!this.isAlive) throw new Crash(`${call} ${path} of a process that is dead`)
    if (--this.#callsLeft <= 0) {
      half?.()
      this.#disk.report('process killed', `${call} ${path}`)
      this.crash()
      throw new Crash(`died in ${call} ${path}`)
    }
    return act()
  }

  #open(path: string, flags: number): number {
    const { folder, name } = this.#parent(path, 'open')
    let node = folder.entries.get(name)
    if (node instanceof SimulatedLink) throw systemError('ELOOP', 'open', path)
    if (node && flags & constants.O_CREAT && flags & constants.O_EXCL) throw systemError('EEXIST', 'open', path)
    const writable = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0
    if (node instanceof SimulatedFolder) throw systemError('EISDIR', 'open', path)
    if (!node) {
      if (!(flags & constants.O_CREAT)) throw systemError('ENOENT', 'open', path)
      node = new SimulatedFile(this.#disk.nextInode(), this.#disk.clock.now())
      folder.change([[name, node]])
    }
    const file = this.#disk.nextFile()
    const append = (flags & constants.O_APPEND) !== 0
    this.#files.set(file, { node, path, append, writable, position: 0, reported: node.failures })
    return file
  }

  #close(file: number): void {
    this.#file(file)
    this.#files.delete(file)
  }

  #write(file: number, bytes: Buffer): number {
    const { random, faults } = this.#disk
    const open = this.#file(file)
    if (!open.writable) throw systemError('EBADF', 'write', open.path)
    if (random.chance(faults.noSpace)) {
      this.#disk.report('ENOSPC', open.path)
      throw systemError('ENOSPC', 'write', open.path)
    }
    const isShort = random.chance(faults.shortWrite)
    const length = isShort ? random.between(1, Math.max(1, bytes.length - 1)) : bytes.length
    if (isShort) this.#disk.report('short write', open.path)
    this.#append(open, bytes.subarray(0, length))
    return length
  }

  #append(open: OpenFile, bytes: Buffer): void {
    const at = open.append ? open.node.size : open.position
    open.node.write(at, bytes, this.#disk.clock.now())
    open.position = at + bytes.length
  }

  async #flush(file: number): Promise<void> {
    const open = this.#file(file)
    const { node, path } = open
    const upTo = node.writes
    await this.#pause()
    const { random, faults } = this.#disk
    if (random.chance(faults.failedFlush)) {
      this.#disk.report('failed flush', path)
      node.lose(upTo, random.chance(faults.droppedPages))
    }
    if (open.reported < node.failures) {
      open.reported = node.failures
      throw systemError('EIO', 'fdatasync', path)
    }
    node.save(upTo)
  }

  async #flushFolder(path: string): Promise<void> {
    const folder = this.#folder(path, 'open')
    const upTo = folder.changes
    await this.#pause()
    const { random, faults } = this.#disk
    if (random.chance(faults.failedFlush)) {
      this.#disk.report('failed flush of a folder', path)
      throw systemError('EIO', 'fsync', path)
    }
    folder.save(upTo)
  }

  /** Ends after a while; never, if the process dies before. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#disk.clock.timer(this.#disk.random.fraction() * LONGEST_FLUSH, () => {
        if (this.isAlive) resolve()
      })
    })
  }

  #makeFolder(path: string): string | undefined {
    let folder = this.#disk.root
    let made: string | undefined
    let at = ''
    for (const segment of segmentsOf(path)) {
      at += `/${segment}`
      let next = folder.entries.get(segment)
      if (!next) {
        next = new SimulatedFolder(this.#disk.nextInode(), this.#disk.clock.now())
        folder.change([[segment, next]])
        made ??= at
      }
      folder = this.#asFolder(next, 'mkdir', path)
    }
    return made
  }

  #readFolder(path: string): readonly Dirent[] {
    return [...this.#folder(path, 'scandir').entries].map(([name, node]) => node.dirent(name, path))
  }

  #removeFolder(path: string): void {
    const { folder, name } = this.#parent(path, 'rmdir')
    if (this.#folder(path, 'rmdir').entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path)
    folder.change([[name, undefined]])
  }

  #link(from: string, to: string): void {
    const node = this.#find(from, 'link')
    const { folder, name } = this.#parent(to, 'link')
    if (folder.entries.has(name)) throw systemError('EEXIST', 'link', to)
    folder.change([[name, node]])
  }

  #rename(from: string, to: string): void {
    const source = this.#parent(from, 'rename')
    const target = this.#parent(to, 'rename')
    const node = source.folder.entries.get(source.name)
    if (!node) throw systemError('ENOENT', 'rename', from)
    if (source.folder !== target.folder) throw systemError('EXDEV', 'rename', to)
    if (source.name === target.name) return
    source.folder.change([
      [target.name, node],
      [source.name, undefined],
    ])
  }

  #unlink(path: string): void {
    const { folder, name } = this.#parent(path, 'unlink')
    const node = folder.entries.get(name)
    if (!node) throw systemError('ENOENT', 'unlink', path)
    if (node instanceof SimulatedFolder) throw systemError('EISDIR', 'unlink', path)
    folder.change([[name, undefined]])
  }

  #file(file: number): OpenFile {
    const open = this.#files.get(file)
    if (!open) throw systemError('EBADF', 'fstat', String(file))
    return open
  }

  #pathOf(file: number): string {
    return this.#files.get(file)?.path ?? String(file)
  }

  #parent(path: string, syscall: string): { folder: SimulatedFolder; name: string } {
    const segments = segmentsOf(path)
    const name = segments.pop() ?? '.'
    return { folder: this.#folder(`/${segments.join('/')}`, syscall), name }
  }

  #folder(path: string, syscall: string): SimulatedFolder {
    return this.#asFolder(this.#find(path, syscall), syscall, path)
  }

  /** What a path leads to; symbolic links are followed. */
  #find(path: string, syscall: string, followed = 0): Node {
    let node: Node = this.#disk.root
    const segments = segmentsOf(path)
    for (const [i, segment] of segments.entries()) {
      const next = this.#asFolder(node, syscall, path).entries.get(segment)
      if (!next) throw systemError('ENOENT', syscall, path)
      if (next instanceof SimulatedLink) {
        if (followed === MAX_LINKS_FOLLOWED) throw systemError('ELOOP', syscall, path)
        return this.#find([next.target, ...segments.slice(i + 1)].join('/'), syscall, followed + 1)
      }
      node = next
    }
    return node
  }

  #asFolder(node: Node, syscall: string, path: string): SimulatedFolder {
    if (node instanceof SimulatedFolder) return node
    throw systemError('ENOTDIR', syscall, path)
  }
}

const segmentsOf = (path: string) => path.split('/').filter((segment) => segment !== '')

/** An error as the system gives it. */
export function systemError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${syscall} '${path}'`), { code, syscall, path })
}
