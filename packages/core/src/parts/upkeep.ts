// Loaded with the first call that needs any of it, as one file: what is done to whole sessions, and seldom. See docs/decisions/0016-what-is-loaded-at-first.md.
export { deleteSession } from '../delete-session.ts'
export { eraseScope } from '../erase.ts'
export { followRepaired } from '../forks/follow-repaired.ts'
export { forkSession } from '../forks/fork-session.ts'
export { repairSession } from '../repair.ts'
export { sweepScope } from '../sweep.ts'
export { verifySession } from '../verify-session.ts'
