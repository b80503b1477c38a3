import { changeDocument, createDocument, parseDocument, type StoredDocument } from '../document.ts'
import type { Environment } from '../environment.ts'
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

function parseMark(value: string, key: string): StoredDocument {
  return parseDocument(value, key) as StoredDocument
}
