import { canonicalJson } from './canonical.ts'
import type { JsonObject } from './entry.ts'
import { parseJson } from './parse-json.ts'

/** The longest title, in UTF-16 code units. */
export const MAX_TITLE_LENGTH: number = 1024

/** Checks a title given by a caller. */
export function checkTitle(title: unknown): void {
  if (typeof title === 'string' && title.length <= MAX_TITLE_LENGTH) return
  throw new TypeError(`title: expected a string of at most ${MAX_TITLE_LENGTH} characters`)
}

/** Checks metadata given by a caller and returns a copy. */
export function copyMetadata(metadata: unknown): JsonObject {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new TypeError('metadata: expected an object')
  }
  try {
    canonicalJson(metadata)
  } catch (error) {
    throw new TypeError(`metadata: ${(error as Error).message}`, { cause: error })
  }
  return parseJson(JSON.stringify(metadata)) as JsonObject
}

/** A copy of options or of a patch, so that the caller may change its own at once: its `metadata`, checked, and its `labels`. */
export function copyFields<Fields extends object>(fields: Fields): Fields {
  if (typeof fields !== 'object' || fields === null) return fields
  const { metadata, labels } = fields as { readonly metadata?: unknown; readonly labels?: unknown }
  return {
    ...fields,
    ...(metadata === undefined ? {} : { metadata: copyMetadata(metadata) }),
    ...(typeof labels === 'object' && labels !== null ? { labels: parseJson(JSON.stringify(labels)) } : {}),
  }
}
