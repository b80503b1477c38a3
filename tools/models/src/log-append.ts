import { changed, type Model, type Step } from './explore.ts'
import { decideByOrder, decideByPosition, LINE_FEED, records, type Counting } from './log-decision.ts'

/** The size of the instance. */
export interface LogAppendOptions {
  readonly counting: Counting
  /** Whether whoever finds an unfinished line spoils it, or only ends it with a line feed. */
  readonly spoils: boolean
  /** Whether the rest of a slow write may come behind what others wrote meanwhile, as if a writer went on after a short write. */
  readonly resumes?: boolean
  /** The batches that each writer appends, by how many records they have. */
  readonly batches: readonly (readonly number[])[]
  /** How many writers may be killed in the middle of a write, at any unit. */
  readonly kills: number
  /** How many writes may end early because the disk is full. */
  readonly shortWrites: number
  /** How many writes may be seen half done. */
  readonly slowWrites: number
}

interface Writer {
  phase: 'idle' | 'look' | 'write' | 'rest' | 'check' | 'dead'
  /** Which of its batches it appends. */
  next: number
  /** The index that its caller asked for; -1 before it looked. */
  at: number
  /** What it found: the size of the file, and whether a line was unfinished. */
  size: number
  unterminated: boolean
  tries: number
  /** What is yet to be written of a slow write. */
  rest: string[]
}

interface State {
  /** A line is its front (`front`), its back and a line feed; a cut falls between any two. */
  file: string[]
  writers: Writer[]
  /** Told the caller: this record has this index. */
  acknowledged: Record<string, number>
  /** Told the caller: not written, and it never will be. */
  failed: string[]
  /** The longest log that any reader was shown. */
  shown: string[]
  kills: number
  shortWrites: number
  slowWrites: number
}

const SPOILER = 'null'
const TRIES = 3
const IDLE = { phase: 'idle', at: -1, size: 0, unterminated: false, tries: 0, rest: [] as string[] } as const

/** Writers append to one file, each with one write behind what it has seen; readers decide it forwards and from any line on. */
export function logAppend(options: LogAppendOptions): Model<State> {
  const { counting, spoils, resumes = false, batches, kills, shortWrites, slowWrites } = options
  const byPosition = counting === 'by position'
  const decide = byPosition ? decideByPosition : (file: readonly string[]) => decideByOrder(file, counting)
  return {
    initial: {
      file: [],
      writers: batches.map(() => ({ ...IDLE, next: 0 })),
      acknowledged: {},
      failed: [],
      shown: [],
      kills,
      shortWrites,
      slowWrites,
    },
    *steps(state) {
      for (const by of state.writers.keys()) yield* steps(state, by)
    },
    invariants: {
      'an acknowledged record stands at its index': ({ file, acknowledged }) => {
        const log = records(decide(file))
        return Object.entries(acknowledged)
          .filter(([record, at]) => log[at] !== record)
          .map(([record, at]) => `${record} was acknowledged at ${at}, where ${log[at]} stands`)[0]
      },
      'what failed is never in the log': ({ file, failed }) =>
        records(decide(file))
          .filter((record) => failed.includes(record))
          .map((record) => `${record} failed, and is in the log`)[0],
      'no record stands twice': ({ file }) => {
        const log = records(decide(file))
        return log.filter((record, i) => log.indexOf(record) !== i).map((record) => `${record} stands twice`)[0]
      },
      'indexes are dense': ({ file }) => {
        let length = 0
        for (const { at, lines } of decide(file)) {
          if (at !== length) return `a batch at ${at} counts behind ${length} records`
          length += lines.length
        }
        return undefined
      },
      'no reader sees a log that changes its mind': ({ file, shown }) => {
        const log = records(decide(file))
        const flipped = shown.findIndex((record, at) => log[at] !== record)
        return flipped < 0 ? undefined : `${shown[flipped]} was shown at ${flipped}, now ${log[flipped]}`
      },
      'whoever reads from the middle agrees': ({ file }) => {
        if (!byPosition) return undefined
        const all = new Set(decideByPosition(file).map(({ start }) => start))
        for (let from = 0; from < file.length; from++) {
          if (from > 0 && file[from - 1] !== LINE_FEED) continue
          for (const { start, lines } of decideByPosition(file, from))
            if (!all.has(start)) return `${lines[0]?.record} counts when read from ${from}, but not from 0`
        }
        return undefined
      },
    },
  }

  function* steps(state: State, by: number): Generator<Step<State>> {
    const writer = state.writers[by] as Writer
    const size = batches[by]?.[writer.next] ?? 0
    const act = (name: string, change: (writer: Writer, state: State) => void): Step<State> => ({
      name: `W${by} ${name}`,
      state: changed(state, (next) => {
        change(next.writers[by] as Writer, next)
        show(next, records(decide(next.file)))
      }),
    })
    // One write at a time: the file system holds the file while it is written.
    const isLocked = !resumes && state.writers.some(({ phase }) => phase === 'rest')
    switch (writer.phase) {
      case 'idle':
        if (size > 0) yield act('looks', (next, all) => look(next, all))
        break
      case 'look':
        yield act('looks again', (next, all) => {
          const { at } = next
          look(next, all)
          if (next.at !== at) fail(next, all, by, size)
        })
        break
      case 'write':
        if (!isLocked) yield* write(state, by, act)
        break
      case 'rest':
        yield act('writes the rest', (next, all) => {
          all.file.push(...next.rest)
          next.rest = []
          next.phase = 'check'
        })
        break
      case 'check':
        yield act('looks where its write landed', (next, all) => check(next, all, by, size))
        break
      case 'dead':
        break
    }
  }

  function* write(
    state: State,
    by: number,
    act: (name: string, change: (writer: Writer, state: State) => void) => Step<State>,
  ): Generator<Step<State>> {
    const writer = state.writers[by] as Writer
    const size = batches[by]?.[writer.next] ?? 0
    const units = unitsOf(writer, by, size)
    const names = recordsOf(writer, by, size).join(' and ')
    yield act(`writes ${names} at ${writer.at}`, (next, all) => {
      all.file.push(...units)
      next.phase = 'check'
    })
    for (let cut = 1; cut < units.length; cut++) {
      const part = `${cut} of ${units.length} units of ${names} at ${writer.at}`
      if (state.kills > 0)
        yield act(`is killed after ${part}`, (next, all) => {
          all.kills--
          all.file.push(...units.slice(0, cut))
          Object.assign(next, IDLE, { phase: 'dead' })
        })
      if (state.shortWrites > 0)
        yield act(`has room for ${part}`, (next, all) => {
          all.shortWrites--
          all.file.push(...units.slice(0, cut))
          fail(next, all, by, size)
        })
      if (state.slowWrites > 0)
        yield act(`is seen after ${part}`, (next, all) => {
          all.slowWrites--
          all.file.push(...units.slice(0, cut))
          next.rest = units.slice(cut)
          next.phase = 'rest'
        })
    }
  }

  function look(writer: Writer, { file }: State): void {
    Object.assign(writer, {
      at: records(decide(file)).length,
      size: file.length,
      unterminated: file.length > 0 && file.at(-1) !== LINE_FEED,
      phase: 'write',
    })
  }

  function check(writer: Writer, state: State, by: number, size: number): void {
    const units = unitsOf(writer, by, size)
    const start = writer.size
    const isAlone = state.file.length === start + units.length
    const decided = decide(state.file)
    const isThere = byPosition
      ? units.every((unit, i) => state.file[start + i] === unit)
      : decided.some(({ lines }) => lines[0]?.record === recordsOf(writer, by, size)[0])
    if (isAlone || isThere) {
      for (const [i, record] of recordsOf(writer, by, size).entries()) state.acknowledged[record] = writer.at + i
      finish(writer)
    } else if (records(decided).length !== writer.at || ++writer.tries === TRIES) {
      fail(writer, state, by, size)
    } else {
      writer.phase = 'look'
    }
  }

  function fail(writer: Writer, state: State, by: number, size: number): void {
    state.failed = [...state.failed, ...recordsOf(writer, by, size)].toSorted()
    finish(writer)
  }

  function unitsOf({ at, size: found, unterminated, next }: Writer, by: number, size: number): string[] {
    const end = spoils ? [SPOILER, LINE_FEED] : [LINE_FEED]
    const closing = unterminated ? end : []
    const pos = found + closing.length
    const lines = recordsOf({ next }, by, size).map((record, i) =>
      [at + i, pos, size - 1 - i, `${by}-${pos}`, record].join(' '),
    )
    return [...closing, ...lines.flatMap((line) => [line, `back of ${line}`, LINE_FEED])]
  }
}

const recordsOf = ({ next }: Pick<Writer, 'next'>, by: number, size: number): string[] =>
  Array.from({ length: size }, (_, i) => `${String.fromCodePoint(65 + by)}${next}${size > 1 ? `.${i}` : ''}`)

function finish(writer: Writer): void {
  Object.assign(writer, IDLE, { next: writer.next + 1 })
}

function show(state: State, log: readonly string[]): void {
  if (log.length > state.shown.length && state.shown.every((record, at) => record === log[at])) state.shown = [...log]
}
