import { hash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StorageAdapter } from '@sessiontree/core'
import { onTestFinished } from 'vitest'

/** A folder of the running test alone. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sessiontree-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Closes a handle when the test is over, before its folder goes. */
export function closing(adapter: StorageAdapter): StorageAdapter {
  onTestFinished(() => adapter.close())
  return adapter
}

/** The names of everything in a folder, each with a hash of its bytes. Only while nobody in this process has one of the files open. */
export function contentOf(folder: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(folder)
      .toSorted()
      .map((name) => [name, hash('sha256', readFileSync(join(folder, name)))]),
  )
}
