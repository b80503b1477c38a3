import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSessions, SessionError, type RoleMessage, type Sessions, type StorageAdapter } from '@sessiontree/core'
import { nodeFs } from '../../src/node-fs.ts'
import { freshRoot } from '../observed-system.ts'

export const ID = 'victim'
export const LOG = 'session/victim/0'

const LINE_FEED = 10

/** An open copy of a session, with its log in a state of the test's choice. */
export interface Copy extends AsyncDisposable {
  readonly adapter: StorageAdapter
  readonly sessions: Sessions<RoleMessage>
  /** Opens another handle. */
  another(): StorageAdapter
  /** The bytes of the log's file now. */
  bytes(): Buffer
}

/** A session of some messages as it lies on the disk. */
export class RecordedSession {
  /** The file of its log. */
  readonly path: string
  readonly bytes: Buffer
  /** Where each record's line starts, and the end. */
  readonly lines: readonly number[]
  readonly texts: readonly string[]
  /** The digest of its leaf. */
  readonly digest: string
  readonly #root: string
  readonly #documents: ReadonlyMap<string, Buffer>

  private constructor(root: string, texts: readonly string[], digest: string) {
    this.#root = root
    this.path = join(root, 'log', `${LOG}.jsonl`)
    this.bytes = readFileSync(this.path)
    this.lines = [0, ...[...this.bytes.entries()].flatMap(([at, byte]) => (byte === LINE_FEED ? [at + 1] : []))]
    this.texts = texts
    this.digest = digest
    this.#documents = new Map(filesBelow(join(root, 'doc')).map((path) => [path, readFileSync(path)]))
  }

  /** A session of so many messages, and behind them a batch. */
  static async make(messages: number, batch = 0): Promise<RecordedSession> {
    const root = freshRoot()
    const adapter = nodeFs(root, { durability: 'process' })
    await using sessions = openSessions(adapter)
    const session = await sessions.create(ID, { title: 'To be damaged' })
    for (let i = 0; i < messages; i++) {
      await session.append({ role: i % 2 === 0 ? 'user' : 'assistant', content: `Message ${i}` })
    }
    if (batch > 0)
      await session.append(Array.from({ length: batch }, (_, i) => ({ role: 'user', content: `Part ${i}` })))
    const { digest = '' } = await session.verify()
    const { records } = await readLog(adapter)
    return new RecordedSession(
      root,
      records.map(([, text]) => text),
      digest,
    )
  }

  /** How many records it has. */
  get length(): number {
    return this.texts.length
  }

  /** The records at these indexes, as {@link readLog} delivers them. */
  records(...indexes: readonly number[]): readonly (readonly [at: number, text: string])[] {
    return indexes.map((at) => [at, this.texts[at] ?? ''])
  }

  /** Makes the store as it was, but for the bytes of the log, and opens it. */
  withLog(bytes: Buffer): Copy {
    // Only a repair makes other logs and changes documents.
    for (const file of filesBelow(join(this.#root, 'log'))) rmSync(file)
    writeFileSync(this.path, bytes)
    for (const [path, content] of this.#documents) {
      if (!readFileSync(path).equals(content)) writeFileSync(path, content)
    }
    const another = () => nodeFs(this.#root, { durability: 'process' })
    const adapter = another()
    const sessions = openSessions(adapter)
    const close = () => sessions.close()
    return { adapter, sessions, another, bytes: () => readFileSync(this.path), [Symbol.asyncDispose]: close }
  }
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** What a read of a log delivered, and the damage that ended it. */
export interface Reading {
  readonly records: readonly (readonly [at: number, text: string])[]
  readonly damage: { readonly at: number | undefined; readonly where: string | undefined } | undefined
}

/** Reads a log as far as it goes. */
export async function readLog(adapter: StorageAdapter, log = LOG, salvage = false): Promise<Reading> {
  const records: [number, string][] = []
  try {
    for await (const batch of adapter.read(log, { salvage })) {
      for (const [i, text] of batch.records.entries()) records.push([batch.at + i, text])
    }
    return { records, damage: undefined }
  } catch (error) {
    if (!SessionError.is(error, 'CORRUPT')) throw error
    return { records, damage: { at: error.at, where: error.where } }
  }
}
