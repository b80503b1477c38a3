import { linkSync, renameSync } from 'node:fs'
import type { Clock, Random } from '@sessiontree/core'
import { fileError, systemError } from './failures.ts'
import { isSameFile, stampOf, type Stamp } from './place.ts'

/** What was moved aside because it was damaged. */
export interface Quarantined {
  /** The path of the store, where an empty one begins now. */
  readonly file: string
  /** Where the damaged database is; its `-wal` and `-shm`, if there were any, are beside it under the same name. */
  readonly movedTo: string
  /** What SQLite said. */
  readonly cause: unknown
}

/** What may stand beside a database and belongs to it. */
const COMPANIONS = ['-wal', '-shm', '-journal'] as const

/** Moves a damaged database aside, with its companions, under a name that nothing has. */
export function moveAside(file: string, damaged: Stamp, clock: Clock, random: Random): string {
  const time = new Date(clock.now()).toISOString().replaceAll(/[-:]/g, '')
  const movedTo = `${file}.corrupt-${time}-${Buffer.from(random.bytes(4)).toString('hex')}`
  try {
    // Companions first: a new database must never find those of the old one.
    assertDamaged(file, damaged)
    for (const companion of COMPANIONS) {
      if (stampOf(file + companion)) renameSync(file + companion, movedTo + companion)
    }
    assertDamaged(file, damaged)
    renameSync(file, movedTo)
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? systemError(file, error) : error
  }
  if (!isSameFile(damaged, stampOf(movedTo))) {
    // Somebody else was faster, and this is the new one.
    linkSync(movedTo, file)
    throw elsewhere(file)
  }
  return movedTo
}

function assertDamaged(file: string, damaged: Stamp): void {
  if (!isSameFile(damaged, stampOf(file))) throw elsewhere(file)
}

function elsewhere(file: string): Error {
  return fileError(file, 'BUSY', undefined, 'it was damaged, and somebody else moves it aside; open it again.')
}
