import { changeDocument, createDocument, parseDocument, type StoredDocument } from '../document.ts'
import type { Environment } from '../environment.ts'
import { SessionError } from '../errors.ts'
import { FORMAT } from '../record.ts'
import type { Signal } from '../runtime.ts'

/**
 * Puts a document whose key alone says something, and makes sure that it lasts.
 *
 * One that is there already may be what somebody left whose write can be read but was never acknowledged: it is written again.
 */
export async function putMark(environment: Environment, key: string, signal: Signal | undefined): Promise<void> {
  if (await createDocument(environment, key, { format: FORMAT })) return
  const again = (current: StoredDocument | undefined) => ({ ...current, format: current?.format ?? FORMAT })
  await changeDocument(environment, key, again, { parse: parseMark, signal })
}

/**
 * Removes such a document unless somebody put it again since it had this version; resolves with whether it is gone. Whoever was blocked puts it again
 * before it looks anew: removing that one would take away what its fork depends on.
 */
export async function removeMark({ adapter }: Environment, key: string, version: string): Promise<boolean> {
  try {
    await adapter.remove(key, { expect: version, forget: true })
    return true
  } catch (error) {
    if (SessionError.is(error, 'CONFLICT')) return false
    throw error
  }
}

function parseMark(value: string, key: string): StoredDocument {
  return parseDocument(value, key) as StoredDocument
}
