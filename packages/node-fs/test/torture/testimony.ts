import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'

/**
 * What a process says before it tries something and after it was told that it took effect. Each line is in the page cache before the
 * next step, so that it outlives a SIGKILL.
 */
export class Testimony {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  attempts(what: string): void {
    this.#say({ attempt: what })
  }

  /** `at`: the index, or the number, that it got. */
  acknowledges(what: string, at: number): void {
    this.#say({ acknowledged: what, at })
  }

  rejects(what: string, code: string): void {
    this.#say({ rejected: what, code })
  }

  #say(line: Statement): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    // With a position it is pwrite, into which no test injects a fault; the file is open for appending, so the position is ignored.
    const written = writeSync(this.#file, bytes, 0, bytes.length, 0)
    if (written !== bytes.length) throw new Error('no room for the testimony')
  }
}

/** One line of a testimony. */
export type Statement =
  | { readonly attempt: string }
  | { readonly acknowledged: string; readonly at: number }
  | { readonly rejected: string; readonly code: string }

/** The statements of one process; none if it was killed before its first. A last one without its end was never made. */
export function readTestimony(path: string): readonly Statement[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Statement)
}
