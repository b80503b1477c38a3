import { changed, type Model, type Step } from './explore.ts'

/** What keeps a turn from writing after another one took over: core's rule, or one that was rejected. */
export type Fence =
  /** The log: nothing is encoded unless what it holds up to the index that is taken says that this turn is open. */
  | 'the log'
  /** The clock: whoever holds the lease, by its own account, appends. */
  | 'the clock'
  /** The document: it is read before each append, and the append goes behind whatever is there. */
  | 'a fresh read'

/** The size of the instance. */
export interface TurnFenceOptions {
  readonly fence: Fence
  /** How many turns each process runs, one after the other. */
  readonly turns: readonly number[]
  /** How many entries each turn appends between its markers. */
  readonly entries: number
  /** How many processes recover the session once, when they find a turn that nobody holds. */
  readonly recoverers: number
  /** How often a lease that is there is held for dead, rightly or not: clocks decide nothing but when somebody tries. */
  readonly takeovers: number
  /** How often a process may crash and start again. */
  readonly crashes: number
}

/** One record of the log. */
interface Logged {
  readonly kind: 'started' | 'entry' | 'end'
  readonly turn: string
  /** The highest epoch so far. */
  readonly epoch: number
}

interface Process {
  readonly recovers: boolean
  /** How many turns it has begun, or tried to. */
  count: number
  phase: 'idle' | 'read' | 'leased' | 'open' | 'checked' | 'ended' | 'expelled'
  /** The version of the document that it has read. */
  version: number
  epoch: number
  /** How much of the log it knows. */
  known: number
  /** How many entries of its turn are stored. */
  stored: number
  /** Of a recoverer: the turn that it closes. */
  target: string
}

interface State {
  document: { version: number; epoch: number; holder: string | null }
  log: Logged[]
  processes: Process[]
  takeovers: number
  crashes: number
}

const IDLE = { phase: 'idle', version: 0, epoch: 0, known: 0, stored: 0, target: '' } as const

/**
 * Processes run turns on one session: a document that is replaced by compare-and-swap holds the lease and the highest epoch, and a log takes a batch only
 * at its end as the writer knows it. Between any two of its steps a process may sleep for as long as the others like.
 */
export function turnFence({ fence, turns, entries, recoverers, takeovers, crashes }: TurnFenceOptions): Model<State> {
  return {
    initial: {
      document: { version: 0, epoch: 0, holder: null },
      log: [],
      processes: [
        ...turns.map(() => ({ recovers: false, count: 0, ...IDLE })),
        ...Array.from({ length: recoverers }, () => ({ recovers: true, count: 0, ...IDLE })),
      ],
      takeovers,
      crashes,
    },
    *steps(state) {
      for (const [by, process] of state.processes.entries()) {
        yield* process.recovers ? recovererSteps(state, by) : turnSteps(state, by)
        if (state.crashes > 0 && process.phase !== 'idle') {
          yield step(state, by, 'crashes and starts again', (next, all) => {
            all.crashes--
            giveUp(next)
          })
        }
      }
    },
    invariants: {
      'a turn that was overtaken appends nothing': ({ log }) =>
        log
          .filter(({ epoch }, at) => epoch < (log[at - 1]?.epoch ?? 0))
          .map(({ turn }) => `${turn} appended behind a higher epoch`)[0],
      'what a turn appends lies between its beginning and its end': ({ log }) =>
        log
          .filter(({ kind, turn }, at) => kind !== 'started' && openIn(log, at) !== turn)
          .map(({ kind, turn }) => `${kind} of ${turn} lies where it is not open`)[0],
      'a turn begins where no other one is open': ({ log }) =>
        log
          .filter(({ kind }, at) => kind === 'started' && openIn(log, at) !== null)
          .map(({ turn }) => `${turn} begins inside another`)[0],
      'no turn ends twice, and no epoch is given twice': ({ log }) => {
        const ends = log.filter(({ kind }) => kind === 'end').map(({ turn }) => turn)
        const begun = log.filter(({ kind }) => kind === 'started').map(({ epoch }) => epoch)
        return twice(ends) ?? twice(begun)
      },
      'the document is never behind the log': ({ document, log }) =>
        document.epoch < (log.at(-1)?.epoch ?? 0) ? `epoch ${document.epoch} is below that of the log` : undefined,
    },
  }

  function* turnSteps(state: State, by: number): Generator<Step<State>> {
    const process = state.processes[by] as Process
    const { document, log } = state
    const turn = nameOf(by, process)
    switch (process.phase) {
      case 'idle':
        if (process.count >= (turns[by] ?? 0)) return
        if (document.holder !== null && state.takeovers === 0) return
        yield step(
          state,
          by,
          document.holder === null ? 'reads the document' : `holds ${document.holder} for dead`,
          (next, all) => {
            if (document.holder !== null) all.takeovers--
            next.phase = 'read'
            next.version = document.version
            next.count++
          },
        )
        return
      case 'read':
        yield step(state, by, 'takes the lease', (next, all) => {
          if (document.version !== next.version) return giveUp(next)
          all.document = { version: document.version + 1, epoch: document.epoch + 1, holder: turn }
          next.phase = 'leased'
          next.epoch = document.epoch + 1
          next.known = log.length
        })
        return
      case 'leased':
        yield step(state, by, `appends started to ${process.known}`, (next, all) => {
          const view = log.slice(0, next.known)
          if ((view.at(-1)?.epoch ?? 0) >= next.epoch) return giveUp(next)
          const open = openIn(log, next.known)
          const { epoch } = next
          const closing: Logged[] = open === null ? [] : [{ kind: 'end', turn: open, epoch }]
          if (append(next, all, [...closing, { kind: 'started', turn, epoch }])) next.phase = 'open'
        })
        return
      case 'open':
        if (fence === 'a fresh read') {
          yield step(state, by, 'reads the document before it appends', (next) => {
            if (document.holder !== turn) return giveUp(next)
            next.phase = 'checked'
          })
          return
        }
        yield step(state, by, `appends to ${process.known}`, (next, all) => {
          if (fence === 'the log' && openIn(log, next.known) !== turn) return giveUp(next)
          write(next, all, turn)
        })
        return
      case 'checked':
        yield step(state, by, 'appends behind whatever is there', (next, all) => {
          next.known = log.length
          next.phase = 'open'
          write(next, all, turn)
        })
        return
      case 'ended':
        yield step(state, by, 'gives the lease back', (next, all) => {
          if (document.holder === turn) all.document = { ...document, version: document.version + 1, holder: null }
          giveUp(next)
        })
        return
      case 'expelled':
        throw new Error('only a recoverer takes a lease away')
    }
  }

  function write(process: Process, state: State, turn: string): void {
    const kind = process.stored < entries ? 'entry' : 'end'
    if (!append(process, state, [{ kind, turn, epoch: process.epoch }])) return
    if (kind === 'end') process.phase = 'ended'
    else process.stored++
  }

  function* recovererSteps(state: State, by: number): Generator<Step<State>> {
    const process = state.processes[by] as Process
    const { document, log } = state
    switch (process.phase) {
      case 'idle':
        if (process.count > 0 || (document.holder !== null && state.takeovers === 0)) return
        yield step(state, by, 'looks for a turn that nobody holds', (next, all) => {
          if (document.holder !== null) all.takeovers--
          next.count++
          next.phase = 'read'
          next.version = document.version
          next.known = log.length
        })
        return
      case 'read':
        yield step(state, by, 'takes the lease away', (next, all) => {
          if (document.holder !== null && document.version !== next.version) return giveUp(next)
          if (document.holder !== null) all.document = { ...document, version: document.version + 1, holder: null }
          const target = openIn(log, next.known)
          if (target === null) return giveUp(next)
          next.target = target
          next.phase = 'expelled'
        })
        return
      case 'expelled':
        yield step(state, by, `closes ${process.target} at ${process.known}`, (next, all) => {
          if (openIn(log, next.known) !== next.target) return giveUp(next)
          const { epoch } = log[next.known - 1] as Logged
          if (append(next, all, [{ kind: 'end', turn: next.target, epoch }])) giveUp(next)
        })
        return
      default:
        throw new Error('a recoverer runs no turn')
    }
  }
}

/** Takes the index that the process knows as the end; if somebody was there first, it knows what that one left. */
function append(process: Process, state: State, batch: readonly Logged[]): boolean {
  const isFirst = state.log.length === process.known
  if (isFirst) state.log.push(...batch)
  process.known = state.log.length
  return isFirst
}

/** The turn that is open before index `to`. */
function openIn(log: readonly Logged[], to: number): string | null {
  const last = log[to - 1]
  return last && last.kind !== 'end'
    ? (log.slice(0, to).findLast(({ kind }) => kind === 'started')?.turn ?? null)
    : null
}

function giveUp(process: Process): void {
  Object.assign(process, IDLE)
}

const nameOf = (by: number, { count }: Process) => `${'abcd'[by]}${count}`

function twice(values: readonly (string | number)[]): string | undefined {
  const found = values.find((value, i) => values.indexOf(value) !== i)
  return found === undefined ? undefined : `${found} is there twice`
}

function step(state: State, by: number, name: string, change: (process: Process, state: State) => void): Step<State> {
  return {
    name: `${'abcd'[by]} ${name}`,
    state: changed(state, (next) => change(next.processes[by] as Process, next)),
  }
}
