import { InputError } from './input-error.ts'

const LONGEST = 1024

/** Refuses what the session tree would refuse as the id of a session or an entry, so that it is found before anything is written. */
export function assertId(id: string, what: string): void {
  if (id === '' || id.length > LONGEST || !id.isWellFormed()) {
    throw new InputError(`${what}: expected 1-${LONGEST} characters of well-formed Unicode`)
  }
}
