import { constants } from 'node:fs'
import { ConflictError, SessionError, type Document, type Signal } from '@sessiontree/core'
import type { Files } from './files.ts'
import type { Body } from './line.ts'
import type { LineFile } from './line-file.ts'
import type { FileName } from './store.ts'

const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR } = constants
const WRITE = O_RDWR | O_APPEND

/** The next value of a document, or its tombstone. */
export interface Replacement {
  readonly name: FileName
  /** What it replaces; undefined: whatever is there. */
  readonly expect: string | undefined
  readonly body: Body
  readonly text: string
  readonly signal: Signal | undefined
  /** Whether no earlier value may be left. */
  readonly forget?: boolean
}

/** The value and the version that a document has now. */
export function readDocument(files: Files, name: FileName): Document | undefined {
  const file = files.openCurrent(name, O_RDONLY)
  if (!file) return undefined
  try {
    const version = versionOf(file)
    return version === 'absent' ? undefined : { value: file.last?.texts()[0] ?? '', version }
  } finally {
    file.close()
  }
}

/** Compare-and-swap of a document: resolves with the new version, or with "" if there was nothing to remove. */
export async function replaceDocument(files: Files, replacement: Replacement): Promise<string> {
  const { name, expect, body, text, signal, forget = false } = replacement
  if (forget && expect === 'absent') return createAndForget(files, replacement)
  return files.attempt(name, signal, async () => {
    const file = files.openCurrent(name, expect === 'absent' ? WRITE | O_CREAT : WRITE)
    if (!file) {
      if (expect === undefined) return ''
      throw stale(name, expect, 'absent')
    }
    try {
      if (expect === undefined) {
        // What is damaged can be removed, else nobody ever could.
        if (file.last?.body !== 'record' && file.tail.damagedAt === undefined) return ''
      } else {
        const version = versionOf(file)
        if (version !== expect) throw stale(name, expect, version)
      }
      // A tombstone may be forgotten at any moment: its file is never sealed.
      if (body === 'record' && file.last?.body === 'record' && (forget || files.isFull(file, text))) {
        const at = file.length
        const version = await files.rollOver(name, file, text)
        if (forget && version !== undefined) await files.forgetBefore(name, at)
        return version
      }
      const version = `${file.length}-${file.by}`
      if (!file.write(body, [text])) return undefined
      await files.settle(file)
      return version
    } finally {
      file.close()
    }
  })
}

/** What was removed stands in the file, before its tombstone, until a value is rolled over. */
async function createAndForget(files: Files, replacement: Replacement): Promise<string> {
  const version = await replaceDocument(files, { ...replacement, forget: false })
  try {
    return await replaceDocument(files, { ...replacement, expect: version, signal: undefined })
  } catch (error) {
    // Others have put a value of their own in its place.
    if (SessionError.is(error, 'CONFLICT')) return version
    throw error
  }
}

function versionOf(file: LineFile): string {
  const { damagedAt, isUnwritten } = file.tail
  // What never reached the disk was promised to nobody.
  if (damagedAt !== undefined && !isUnwritten) throw file.corrupt('what stands there was written by nobody', damagedAt)
  return file.last?.body === 'record' ? `${file.last.at}-${file.last.by}` : 'absent'
}

function stale({ name }: FileName, expect: string, version: string): ConflictError {
  return new ConflictError(`Document ${name} is at version ${version}, not ${expect}; read it again, then decide.`)
}
