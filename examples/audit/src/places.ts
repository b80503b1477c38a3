import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'
import { sqlite } from '@sessiontree/sqlite'

/** Where a run can be kept. */
export const PLACES: Readonly<Record<string, (folder: string) => StorageAdapter>> = {
  sqlite: (folder) => sqlite(join(folder, 'audit.db')),
  'node-fs': (folder) => nodeFs(join(folder, 'audit')),
}

/** Opens a place in a folder. */
export function openAdapter(place: string, folder: string): StorageAdapter {
  const open = PLACES[place]
  if (!open) throw new TypeError(`no such place: ${place}`)
  return open(folder)
}
