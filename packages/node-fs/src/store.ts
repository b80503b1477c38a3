import { constants, type Dirent } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { CorruptError, isSegment, SessionError, type Random } from '@sessiontree/core'
import { systemCode, unlessMissing, type FileSystem } from './file-system.ts'

const LAYOUT = 1
const MARKER = 'sessiontree.json'
const EXTENSION = '.jsonl'

/** The two trees of a store: logs and documents. */
export type Tree = 'log' | 'doc'
const TREES: readonly Tree[] = ['log', 'doc']

/** A log or document and its file. */
export interface FileName {
  readonly tree: Tree
  readonly name: string
  readonly path: string
}

/** How a {@link Store} is opened. */
export interface StoreOptions {
  readonly system: FileSystem
  readonly root: string
  /** Whether to make a store where there is none. */
  readonly create: boolean
  readonly random: Random
  /** Whether the user vouches that no other handle writes: then a file system that cannot keep writers apart will do. */
  readonly singleWriter: boolean
}

/** The folders of an open store: `sessiontree.json`, `log/` and `doc/` below its root. */
export class Store {
  readonly #system: FileSystem
  readonly #root: string
  /** The root without symbolic links. */
  readonly #realRoot: string
  readonly #identities: ReadonlyMap<Tree, string>

  private constructor(system: FileSystem, root: string) {
    this.#system = system
    this.#root = root
    this.#realRoot = this.#realPath(root)
    for (const tree of TREES) this.#assertPlain(join(root, tree))
    this.#identities = new Map(TREES.map((tree) => [tree, this.#identity(tree)]))
  }

  static async open({ system, root, create, random, singleWriter }: StoreOptions): Promise<Store> {
    if (!singleWriter) assertLocal(system, root)
    const marker = join(root, MARKER)
    let text = readText(system, marker)
    if (text === undefined) {
      const used = TREES.some((tree) => unlessMissing(() => system.readFolder(join(root, tree)))?.length)
      // Whoever makes a store writes the marker before anything else: it may be there by now.
      text = readText(system, marker)
      if (text === undefined) {
        if (used) throw new SessionError('UNAVAILABLE', `${marker} is missing from a store that was used; restore it.`)
        if (!create) throw new SessionError('UNAVAILABLE', `There is no store at ${root}; check the path.`)
        await makeStore(system, root, marker, random)
        text = readText(system, marker) ?? ''
      }
    }
    assertLayout(text, marker)
    return new Store(system, root)
  }

  /** The file of a name: its segments are folders, the last one a file. */
  file(tree: Tree, name: string): FileName {
    const segments = name.split('/')
    const last = segments.pop() ?? ''
    return { tree, name, path: join(this.#root, tree, ...segments.map(folderName), last + EXTENSION) }
  }

  /** The folders above a file, up to the root. */
  foldersAbove(path: string): readonly string[] {
    const folders: string[] = []
    for (let folder = dirname(path); folder !== this.#root; folder = dirname(folder)) folders.push(folder)
    return [...folders, this.#root]
  }

  /** Throws unless a tree is still the one that this handle found when it was opened. */
  assertSame(tree: Tree): void {
    let cause: unknown
    try {
      if (this.#identity(tree) === this.#identities.get(tree)) return
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      cause = error
    }
    const message = `The store at ${this.#root} was removed or replaced under this handle; open another handle.`
    throw new SessionError('UNAVAILABLE', message, { cause })
  }

  /** Throws if a symbolic link leads a file elsewhere. Folders that are not there yet lead nowhere. */
  assertInside({ tree, path }: FileName): void {
    for (const folder of this.foldersAbove(path).slice(0, -2)) {
      if (unlessMissing(() => this.#assertPlain(folder, tree)) !== undefined) return
    }
  }

  #assertPlain(folder: string, tree?: Tree): true {
    const expected = join(this.#realRoot, relative(this.#root, folder))
    if (this.#realPath(folder) === expected) return true
    // A root that is itself a link may lead elsewhere by now.
    if (tree) this.assertSame(tree)
    throw new SessionError('DENIED', `${folder} leads out of the store; symbolic links in it are not followed.`)
  }

  #realPath(path: string): string {
    return this.#system.realPath?.(path) ?? path
  }

  /** The files of a tree below a prefix and behind the name `after`, ascending by name. Reads a folder when its turn comes. */
  list(tree: Tree, prefix: string, after: string): Generator<FileName> {
    this.assertSame(tree)
    const segments = prefix === '' ? [] : prefix.split('/')
    this.assertInside({ tree, name: prefix, path: join(this.#root, tree, ...segments.map(folderName), EXTENSION) })
    return this.#walk(tree, segments, after)
  }

  *#walk(tree: Tree, above: readonly string[], after: string): Generator<FileName> {
    const folder = join(this.#root, tree, ...above.map(folderName))
    const entries = unlessMissing(() => this.#system.readFolder(folder)) ?? []
    for (const entry of entries.flatMap(segmentOf).toSorted(byCodeUnit)) {
      const name = [...above, entry].join('/')
      if (!entry.endsWith('/')) {
        if (name > after) yield this.file(tree, name)
      } else if (name > after || after.startsWith(name)) {
        yield* this.#walk(tree, [...above, entry.slice(0, -1)], after)
      }
    }
  }

  #identity(tree: Tree): string {
    const folder = this.#system.stat(join(this.#root, tree))
    // An inode number may come back; the marker is written once, so its time tells one store from the next.
    const marker = this.#system.stat(join(this.#root, MARKER))
    return [folder.dev, folder.ino, marker.dev, marker.ino, marker.mtimeMs].join(':')
  }
}

// "+" is in no name: a folder "a.jsonl+" is not the file of "a".
const folderName = (segment: string) => (segment.endsWith(EXTENSION) ? `${segment}+` : segment)

/** The segment that a file or folder stands for; with its slash, a folder sorts where the names in it do. */
function segmentOf(entry: Dirent): string[] {
  if (entry.isDirectory()) {
    const segment = entry.name.replace(/\+$/, '')
    return isSegment(segment) && folderName(segment) === entry.name ? [`${segment}/`] : []
  }
  const segment = entry.name.slice(0, -EXTENSION.length)
  return entry.isFile() && entry.name.endsWith(EXTENSION) && isSegment(segment) ? [segment] : []
}

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : 1)

function readText(system: FileSystem, path: string): string | undefined {
  const file = unlessMissing(() => system.open(path, constants.O_RDONLY))
  if (file === undefined) return undefined
  try {
    const bytes = Buffer.alloc(4096)
    return bytes.toString('utf8', 0, system.read(file, bytes, 0, 0))
  } finally {
    system.close(file)
  }
}

/** Throws on a file system that does not put appends of several writers one behind the other. */
function assertLocal(system: FileSystem, root: string): void {
  let folder = root
  let kind: string | undefined
  while (
    unlessMissing(() => ((kind = system.remoteKind?.(folder)), true)) === undefined &&
    dirname(folder) !== folder
  ) {
    folder = dirname(folder)
  }
  if (kind === undefined) return
  throw new SessionError(
    'UNSUPPORTED',
    `${root} is on ${kind}, which cannot keep several writers apart. Use a local disk; or, if only one handle at a time ever uses ` +
      'this store, pass singleWriter: true.',
  )
}

async function makeStore(system: FileSystem, root: string, marker: string, random: Random): Promise<void> {
  const id = Buffer.from(random.bytes(16)).toString('hex')
  system.makeFolder(root)
  for (const tree of TREES) system.makeFolder(join(root, tree))
  // Before the marker: whoever finds that relies on the folders above, and whoever made those may have died.
  await flushAbove(system, root)
  const draft = `${marker}+${id}`
  try {
    await writeDraft(system, draft, `${JSON.stringify({ layout: LAYOUT, store: id })}\n`)
    // A link appears with its whole content, and only for the first.
    system.link(draft, marker)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  } finally {
    unlessMissing(() => system.unlink(draft))
  }
  await system.flushFolder(root)
}

async function writeDraft(system: FileSystem, path: string, text: string): Promise<void> {
  const file = system.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
  try {
    const written = system.write(file, Buffer.from(text))
    if (written < text.length) throw new SessionError('QUOTA', `Only ${written} bytes fitted into ${path}. Make room.`)
    await system.flush(file)
  } finally {
    system.close(file)
  }
}

/** Makes the folders above one survive the machine, as far as this user may touch them: the others are not of our making. */
async function flushAbove(system: FileSystem, folder: string): Promise<void> {
  for (let above = dirname(folder); above !== folder; folder = above, above = dirname(above)) {
    try {
      await system.flushFolder(above)
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EINVAL'].includes(systemCode(error) ?? '')) throw error
    }
  }
}

function assertLayout(text: string, marker: string): void {
  let layout: unknown
  try {
    layout = (JSON.parse(text) as { layout?: unknown }).layout
  } catch {
    // Reported below.
  }
  if (layout === LAYOUT) return
  if (typeof layout === 'number' && layout > LAYOUT) {
    throw new SessionError(
      'FORMAT',
      `${marker} says layout ${layout}, newer than ${LAYOUT}; update @sessiontree/node-fs.`,
    )
  }
  throw new CorruptError(`${marker} is damaged; restore it from a backup.`, { where: marker })
}
