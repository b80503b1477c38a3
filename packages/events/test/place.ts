import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { nodeFs } from '@sessiontree/node-fs'
import { sqlite } from '@sessiontree/sqlite'

/** Where processes write side by side. */
export const PLACES = ['node-fs', 'sqlite'] as const

export function openPlace(place: string, folder: string): StorageAdapter {
  const durability = 'process'
  return place === 'sqlite' ? sqlite(join(folder, 'events.db'), { durability }) : nodeFs(folder, { durability })
}
