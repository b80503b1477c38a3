import { changeDocument, parseDocument, readDocument, type StoredDocument } from './document.ts'
import type { Environment } from './environment.ts'
import { CorruptError } from './errors.ts'
import { encodeSegment, scopeNames, type ScopeLevel, type ScopeNames } from './names.ts'
import { FORMAT } from './record.ts'
import { throwIfAborted, type Signal } from './runtime.ts'

/** Says how often one level of a scope was erased. Kept under `scope/<id>` of the level above; absent means never. */
export interface ScopeDocument extends StoredDocument {
  readonly incarnation: number
}

/** What a scope is called now. */
export interface ScopeLocation {
  readonly levels: readonly ScopeLevel[]
  readonly names: ScopeNames
}

/**
 * The scope of one handle: finds out once in which incarnation each of its levels is, and keeps to that.
 *
 * Contract
 * - Without levels it costs nothing. A scope that was never erased costs one read per level, all at once.
 * - What it found stays, also when another handle erases the scope: from then on this one writes into the void. `look` and `erase` find
 *   out anew.
 */
export class Scope {
  readonly path: readonly string[]
  readonly #environment: Environment
  readonly #guess: ScopeLocation
  #location: ScopeLocation | undefined
  #looking: Promise<ScopeLocation> | undefined

  /** @throws {TypeError} for a path that {@link scopeNames} refuses. */
  constructor(environment: Environment, path: readonly string[]) {
    if (!Array.isArray(path)) throw new TypeError('scope: expected a list of strings')
    this.path = Object.freeze([...path])
    this.#environment = environment
    this.#guess = locate(path.map(neverErased))
    if (path.length === 0) this.#location = this.#guess
  }

  /** The names of the scope if it was never erased: whether an id or time fits into them can be checked without a look. */
  get likelyNames(): ScopeNames {
    return this.#guess.names
  }

  /** Resolves with the names of the scope as this handle knows it. */
  async names(): Promise<ScopeNames> {
    if (this.#location) return this.#location.names
    this.#looking ??= this.look().finally(() => (this.#looking = undefined))
    return (await this.#looking).names
  }

  /**
   * Reads something of the scope: while it is not known yet whether it was ever erased, that is found out beside the read, and only if so
   * the read is done again under the right names. Not for anything that writes.
   */
  async read<Result>(read: (names: ScopeNames) => Promise<Result>): Promise<Result> {
    if (this.#location) return read(this.#location.names)
    const early = read(this.#guess.names)
    // Its failure counts only if the guess was right.
    early.catch(() => {})
    const names = await this.names()
    return names.index === this.#guess.names.index ? early : read(names)
  }

  /** Finds out what the scope is called now, and goes on with that. */
  async look(signal?: Signal): Promise<ScopeLocation> {
    const levels: ScopeLevel[] = []
    while (levels.length < this.path.length) {
      throwIfAborted(signal)
      const rest = this.path.slice(levels.length)
      const asked = rest.map((id, i) =>
        this.#incarnation([...levels, ...rest.slice(0, i).map(neverErased)], id, signal),
      )
      for (const answer of asked) answer.catch(() => {})
      for (const [i, answer] of asked.entries()) {
        const incarnation = await answer
        levels.push({ id: rest[i] as string, incarnation })
        // What lies below was asked under the name that the level had before.
        if (incarnation !== 0) break
      }
    }
    return this.#adopt(locate(levels))
  }

  /**
   * Moves the innermost level to its next incarnation; resolves with where the scope goes on. Everything that lies below an earlier
   * one belongs to nobody from then on.
   */
  async advance(signal?: Signal): Promise<ScopeLocation> {
    const { levels } = await this.look(signal)
    const outer = levels.slice(0, -1)
    const { id } = levels.at(-1) as ScopeLevel
    const { document } = await changeDocument(
      this.#environment,
      scopeKey(outer, id),
      (current: ScopeDocument | undefined) => ({
        ...current,
        format: current?.format ?? FORMAT,
        incarnation: (current?.incarnation ?? 0) + 1,
      }),
      { parse: parseScopeDocument, signal },
    )
    return this.#adopt(locate([...outer, { id, incarnation: (document as ScopeDocument).incarnation }]))
  }

  /** Goes on with this, unless another call of this handle has found a later one meanwhile. */
  #adopt(found: ScopeLocation): ScopeLocation {
    if (!this.#location || isLater(found.levels, this.#location.levels)) this.#location = found
    return found
  }

  async #incarnation(outer: readonly ScopeLevel[], id: string, signal: Signal | undefined): Promise<number> {
    const found = await readDocument(this.#environment.adapter, scopeKey(outer, id), parseScopeDocument, signal)
    return found?.document.incarnation ?? 0
  }
}

/** Every prefix that the innermost of these levels had before it was erased, the newest first. */
export function* erasedPrefixes(levels: readonly ScopeLevel[]): Generator<string, void, void> {
  const innermost = levels.at(-1)
  for (let earlier = (innermost?.incarnation ?? 0) - 1; earlier >= 0; earlier--) {
    yield scopeNames([...levels.slice(0, -1), { id: innermost?.id ?? '', incarnation: earlier }]).root
  }
}

/** Numbers only rise, and the outermost one that differs decides: what is below it is counted anew. */
function isLater(one: readonly ScopeLevel[], other: readonly ScopeLevel[]): boolean {
  const [number = 0, before = 0] =
    one
      .map(({ incarnation }, i) => [incarnation, other[i]?.incarnation ?? 0])
      .find(([mine, theirs]) => mine !== theirs) ?? []
  return number > before
}

const neverErased = (id: string): ScopeLevel => ({ id, incarnation: 0 })

const locate = (levels: readonly ScopeLevel[]): ScopeLocation => ({ levels, names: scopeNames(levels) })

function scopeKey(outer: readonly ScopeLevel[], id: string): string {
  return `${scopeNames(outer).kind('scope')}/${encodeSegment(id)}`
}

function parseScopeDocument(value: string, key: string): ScopeDocument {
  const document = parseDocument(value, key)
  const { incarnation } = document
  if (!Number.isSafeInteger(incarnation) || (incarnation as number) < 0) {
    throw new CorruptError(`Document ${key} is not the document of a scope.`)
  }
  return document as ScopeDocument
}
