import { scopeNames } from '@sessiontree/core'
import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Leaves the beginning of a line behind the last one of a session's file, as a machine that stops in the middle of a write does. Resolves
 * with how many bytes of how many it left. A kill alone seldom tears: the system finishes a small write.
 */
export async function leaveTornLine(
  dir: string,
  id: string,
  fraction: number,
): Promise<{ readonly left: number; readonly of: number }> {
  const file = join(dir, 'log', `${scopeNames([]).log(id, 0)}.jsonl`)
  const stored = await readFile(file)
  const last = stored.subarray(stored.lastIndexOf('\n', -2) + 1).toString()
  // The line that would have come next starts at the present end.
  const next = Buffer.from(
    last.replace(/^\{"at":(\d+),"pos":\d+/, (_, at) => `{"at":${Number(at) + 1},"pos":${stored.length}`),
  )
  // At least a byte, and never the newline.
  const left = 1 + Math.floor(fraction * (next.length - 2))
  await appendFile(file, next.subarray(0, left))
  return { left, of: next.length }
}
