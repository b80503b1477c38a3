import { join } from 'node:path'
import { nodeFs } from '@sessiontree/node-fs'
import { sqlite } from '@sessiontree/sqlite'
import type { StorageAdapter } from '../src/index.ts'

/** Where one process writes and another follows. */
export const PLACES = ['node-fs', 'sqlite'] as const

export function openPlace(place: string, folder: string): StorageAdapter {
  const durability = 'process'
  return place === 'sqlite' ? sqlite(join(folder, 'sessions.db'), { durability }) : nodeFs(folder, { durability })
}
