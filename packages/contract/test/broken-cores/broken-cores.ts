import type { BrokenCore } from './broken-core.ts'
import { brokenLiveCores } from './live.ts'
import { brokenSessionCores } from './session.ts'
import { brokenAppendLines } from './tree-append.ts'
import { brokenContextLines } from './tree-context.ts'
import { brokenForkLines } from './tree-fork.ts'
import { brokenPathLines } from './tree-path.ts'
import { brokenStoreLines } from './tree-store.ts'
import { brokenTurnLines } from './tree-turns.ts'

/** Cores with one fault each. */
export const brokenCores: readonly BrokenCore[] = [
  ...brokenSessionCores,
  ...brokenLiveCores,
  ...brokenAppendLines,
  ...brokenPathLines,
  ...brokenForkLines,
  ...brokenContextLines,
  ...brokenStoreLines,
  ...brokenTurnLines,
]
