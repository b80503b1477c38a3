import { documentInvariants } from './document-invariants.ts'
import { changed, type Model, type Step } from './explore.ts'

/** The size of the instance. */
export interface NumberedGenerationsOptions {
  /** Whether the document is there at the start. */
  readonly exists: boolean
  /** How many puts each writer makes; each may roll the document over first. */
  readonly puts: readonly number[]
}

interface Line {
  readonly at: number
  /** Undefined in a seal: the document goes on in the next generation. */
  readonly value?: string
}

interface Writer {
  phase: 'idle' | 'open' | 'look' | 'write' | 'remove'
  left: number
  /** The generation that it works on, and its open file. */
  generation: number
  file: number
  lines: number
  /** The index of what it writes next. */
  at: number
}

interface State {
  files: Line[][]
  /** Files by generation. */
  generations: Record<number, number>
  writers: Writer[]
  acknowledged: Record<string, number>
}

const IDLE = { phase: 'idle', generation: 0, file: -1, lines: 0, at: 0 } as const

/**
 * The layout that was rejected: a document is a chain of files numbered by generation. A seal ends one, whoever follows opens the next one
 * and creates it if need be, and those behind are removed.
 */
export function numberedGenerations({ exists, puts }: NumberedGenerationsOptions): Model<State> {
  return {
    initial: {
      files: exists ? [[{ at: 0, value: 'first' }]] : [],
      generations: exists ? { 1: 0 } : {},
      writers: puts.map((left) => ({ ...IDLE, left })),
      acknowledged: exists ? { first: 0 } : {},
    },
    *steps(state) {
      for (const by of state.writers.keys()) yield* steps(state, by)
    },
    invariants: {
      ...documentInvariants<State>(current),
    },
  }
}

function* steps(state: State, by: number): Generator<Step<State>> {
  const writer = state.writers[by] as Writer
  const value = `${by}.${writer.left}`
  const act = (name: string, change: (writer: Writer, state: State) => void): Step<State> => ({
    name: `W${by} ${name}`,
    state: changed(state, (next) => change(next.writers[by] as Writer, next)),
  })
  const file = state.files[writer.file] ?? []
  switch (writer.phase) {
    case 'idle': {
      if (writer.left === 0) break
      const oldest = Math.min(...Object.keys(state.generations).map(Number))
      const isThere = oldest !== Infinity
      yield act(isThere ? `finds generation ${oldest}` : 'finds no generation', (next) => {
        next.generation = isThere ? oldest : 1
        next.phase = 'open'
      })
      break
    }
    case 'open':
      yield act(`opens generation ${writer.generation}, or creates it`, (next, all) => {
        all.generations[next.generation] ??= all.files.push([]) - 1
        next.file = all.generations[next.generation] as number
        next.phase = 'look'
      })
      break
    case 'look': {
      const last = file.at(-1)
      if (last && last.value === undefined)
        yield act(`meets the seal of generation ${writer.generation}`, (next) => {
          next.generation++
          next.at = last.at
          next.phase = 'open'
        })
      else
        yield act(`finds ${file.length} line(s)`, (next) => {
          next.lines = file.length
          next.at = last ? last.at + 1 : next.at
          next.phase = 'write'
        })
      break
    }
    case 'write':
      if (file.length !== writer.lines) {
        // Another writer was first: CONFLICT, nothing written.
        yield act('is refused', (next) => finish(next))
        break
      }
      yield act(`writes ${value} as version ${writer.at}`, (next, all) => {
        all.files[next.file]?.push({ at: next.at, value })
        all.acknowledged[value] = next.at
        if (next.generation > 1) next.phase = 'remove'
        else finish(next)
      })
      if (file.length > 0)
        yield act(`seals generation ${writer.generation}`, (next, all) => {
          all.files[next.file]?.push({ at: next.at })
          next.phase = 'look'
        })
      break
    case 'remove':
      yield act(`removes what is older than generation ${writer.generation}`, (next, all) => {
        for (const generation of Object.keys(all.generations).map(Number))
          if (generation < next.generation) delete all.generations[generation]
        finish(next)
      })
      break
  }
}

function finish(writer: Writer): void {
  Object.assign(writer, IDLE, { left: writer.left - 1 })
}

/** What a reader finds: the last value of the newest generation that has one. */
function current({ files, generations }: State): { at: number; value: string } | undefined {
  for (const generation of Object.keys(generations)
    .map(Number)
    .toSorted((a, b) => b - a)) {
    const last = files[generations[generation] as number]?.findLast(({ value }) => value !== undefined)
    if (last?.value !== undefined) return { at: last.at, value: last.value }
  }
  return undefined
}
