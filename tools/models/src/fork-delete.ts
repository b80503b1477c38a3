import { changed, type Model, type Step } from './explore.ts'

/** How a fork and a deletion of what it comes from meet: by the rule that was taken, or with one mistake. */
export type ForkDelete =
  /** Fork: reference, look at the source, document. Delete: state, then list, block or copy, remove; again until there is none. */
  | 'refer, look, create'
  /** The fork looks first, and puts its reference then. */
  | 'look first'
  /** The deletion lists the references before it says that it deletes. */
  | 'list first'
  /** It does not block forks that are not there yet. */
  | 'do not block'
  /** It lists the references once. */
  | 'list once'
  /** When it lists again it passes over those that it saw before. */
  | 'pass over what was seen'
  /** When all that it listed is gone, removed by somebody else, it does not list again. */
  | 'believe what is gone'
  /** It removes a reference also when somebody put it again meanwhile. */
  | 'remove whatever is there'

/** The size of the instance. */
export interface ForkDeleteOptions {
  readonly rule: ForkDelete
  /** Each makes one fork: of the session that is deleted, or of a fork of it that lives. */
  readonly forkers: readonly ('S' | 'F')[]
  /** How many delete S at once, or take the deletion up. */
  readonly deleters: number
  /** How many of all these may die, at any step. */
  readonly crashes: number
}

/** A fork's document. */
interface Fork {
  state: 'absent' | 'blocked' | 'live'
  /** Whether it depends on the log of S. */
  needsLog: boolean
}

interface Forker {
  source: 'S' | 'F'
  phase: 'refer' | 'look' | 'create' | 'done' | 'refused' | 'dead'
  /** What it may put its document in place of: nothing; the blocked one that it saw, which is still there or was put anew. */
  mayReplace: 'nothing' | 'what it saw' | 'what is no more'
  sawLog: boolean
}

interface Deleter {
  phase: 'begin' | 'list' | 'take' | 'look' | 'settle' | 'remove' | 'drop' | 'end' | 'done' | 'dead'
  /** Forks whose references are still to be looked at. */
  listed: number[]
  seen: number[]
  /** The document as it saw it, and whether that and the reference are still the same. */
  fork: Fork
  isSameFork: boolean
  isSameMark: boolean
  /** Whether this listing showed anything new. */
  isNew: boolean
}

interface State {
  source: 'live' | 'deleting' | 'tombstone'
  log: boolean
  /** Number 0 is F, a fork that was there before; the others are those of the forkers. */
  forks: Fork[]
  /** Whether each has a reference at S. */
  marks: boolean[]
  forkers: Forker[]
  deleters: Deleter[]
  crashes: number
}

const ABSENT: Fork = { state: 'absent', needsLog: false }

/** Sessions S and F, which is a fork of S and lives on; makers of further forks, and deleters of S; each stopped for as long as it takes between any two calls. */
export function forkDelete({ rule, forkers, deleters, crashes }: ForkDeleteOptions): Model<State> {
  const first = rule === 'look first' ? 'look' : 'refer'
  return {
    initial: {
      source: 'live',
      log: true,
      forks: [{ state: 'live', needsLog: true }, ...forkers.map(() => ABSENT)],
      marks: [true, ...forkers.map(() => false)],
      forkers: forkers.map((source) => ({ source, phase: first, mayReplace: 'nothing', sawLog: false })),
      deleters: Array.from({ length: deleters }, () => ({
        phase: rule === 'list first' ? 'list' : 'begin',
        listed: [],
        seen: [],
        fork: ABSENT,
        isSameFork: false,
        isSameMark: false,
        isNew: false,
      })),
      crashes,
    },
    *steps(state) {
      for (const by of state.forkers.keys()) yield* forkerSteps(state, by)
      for (const by of state.deleters.keys()) yield* deleterSteps(state, by)
    },
    invariants: {
      'no fork lives without its data': ({ log, forks }) => {
        const lost = forks.findIndex((fork) => fork.state === 'live' && fork.needsLog)
        return log || lost < 0 ? undefined : `fork ${lost} lives, and the log that it needs was dropped`
      },
      'a fork of what lives is never refused': (state) =>
        state.forkers.some(({ source, phase }) => source === 'F' && phase === 'refused') ? 'F lives' : undefined,
    },
  }

  function* forkerSteps(state: State, by: number): Generator<Step<State>> {
    const { source, phase } = state.forkers[by] as Forker
    const id = by + 1
    const act = (name: string, change: (forker: Forker, next: State) => void): Step<State> => ({
      name: `fork ${id} of ${source}: ${name}`,
      state: changed(state, (next) => change(next.forkers[by] as Forker, next)),
    })
    if (phase === 'done' || phase === 'refused' || phase === 'dead') return
    if (state.crashes > 0) yield act('dies', die)
    if (phase === 'refer') {
      yield act('puts its reference', (forker, next) => {
        next.marks[id] = true
        for (const deleter of next.deleters) if (deleter.listed[0] === id) deleter.isSameMark = false
        forker.phase = rule === 'look first' ? 'create' : 'look'
      })
    } else if (phase === 'look') {
      yield act('looks at its source', (forker, next) => {
        const isLive = source === 'F' || next.source === 'live'
        forker.sawLog = source === 'S' || (next.forks[0] as Fork).needsLog
        forker.phase = !isLive ? 'refused' : rule === 'look first' ? 'refer' : 'create'
      })
    } else {
      yield act('creates its document', (forker, next) => {
        const { state: there } = next.forks[id] as Fork
        if (forker.mayReplace === (there === 'absent' ? 'nothing' : 'what it saw')) {
          put(next, id, { state: 'live', needsLog: forker.sawLog })
          forker.phase = 'done'
        } else {
          // Blocked: all is looked at again before it may be replaced.
          forker.mayReplace = 'what it saw'
          forker.phase = first
        }
      })
    }
  }

  function* deleterSteps(state: State, by: number): Generator<Step<State>> {
    const { phase, listed } = state.deleters[by] as Deleter
    const id = listed[0] ?? 0
    const act = (name: string, change: (deleter: Deleter, next: State) => void): Step<State> => ({
      name: `deletion ${by}: ${name}`,
      state: changed(state, (next) => change(next.deleters[by] as Deleter, next)),
    })
    if (phase === 'done' || phase === 'dead') return
    if (state.crashes > 0) yield act('dies', die)
    switch (phase) {
      case 'begin':
        yield act('says so', (deleter, next) => {
          if (next.source === 'live') next.source = 'deleting'
          deleter.phase = rule === 'list first' ? (deleter.listed.length > 0 ? 'take' : 'drop') : 'list'
        })
        break
      case 'list':
        // Those that it finds are looked at side by side: in any order.
        for (const order of ['first to last', 'last to first']) {
          yield act(`lists the references, ${order}`, (deleter, next) => {
            const found = [...next.marks.keys()].filter((fork) => next.marks[fork])
            const skipped = rule === 'pass over what was seen' ? deleter.seen : []
            deleter.listed = found.filter((fork) => !skipped.includes(fork))
            if (order === 'last to first') deleter.listed.reverse()
            deleter.isNew = false
            deleter.phase = rule === 'list first' ? 'begin' : deleter.listed.length > 0 ? 'take' : 'drop'
          })
        }
        break
      case 'take':
        yield act(`reads the reference of fork ${id}`, (deleter, next) => {
          deleter.isSameMark = next.marks[id] === true
          // Whoever removed it may not be done with all that this listing did not show.
          deleter.isNew ||= deleter.isSameMark || rule !== 'believe what is gone'
          if (deleter.isSameMark) deleter.phase = 'look'
          else skip(deleter)
        })
        break
      case 'look':
        yield act(`looks at fork ${id}`, (deleter, next) => {
          deleter.fork = next.forks[id] as Fork
          deleter.isSameFork = true
          const { state: there, needsLog } = deleter.fork
          const isSettled = there === 'live' ? !needsLog : rule === 'do not block'
          deleter.phase = isSettled ? 'remove' : 'settle'
        })
        break
      case 'settle':
        yield* settle(state, by, id, act)
        break
      case 'remove':
        yield act(`removes the reference of fork ${id}`, (deleter, next) => {
          if (rule === 'remove whatever is there' || deleter.isSameMark) next.marks[id] = false
          skip(deleter)
        })
        break
      case 'drop':
        yield act('drops the log', (deleter, next) => {
          next.log = false
          deleter.phase = 'end'
        })
        break
      case 'end':
        yield act('leaves a tombstone', (deleter, next) => {
          next.source = 'tombstone'
          deleter.phase = 'done'
        })
    }
  }

  /** Blocks a fork, or gives it a copy, if it is still as it was seen. */
  function* settle(
    state: State,
    by: number,
    id: number,
    act: (name: string, change: (deleter: Deleter, next: State) => void) => Step<State>,
  ): Generator<Step<State>> {
    const { fork: seen, isSameFork } = state.deleters[by] as Deleter
    // Where the log is gone already there is nothing to copy: it looks again.
    const isPossible = isSameFork && (seen.state !== 'live' || state.log)
    yield act(seen.state === 'live' ? `gives fork ${id} its copy` : `blocks fork ${id}`, (deleter, next) => {
      if (isPossible) put(next, id, { state: seen.state === 'live' ? 'live' : 'blocked', needsLog: false })
      deleter.phase = isPossible ? 'remove' : 'look'
    })
  }

  /** Whoever saw the document before sees that it is another one. */
  function put(next: State, id: number, fork: Fork): void {
    next.forks[id] = fork
    const forker = next.forkers[id - 1]
    if (forker?.mayReplace === 'what it saw') forker.mayReplace = 'what is no more'
    for (const deleter of next.deleters) if (deleter.listed[0] === id) deleter.isSameFork = false
  }

  function skip(deleter: Deleter): void {
    const id = deleter.listed.shift()
    Object.assign(deleter, { fork: ABSENT, isSameFork: false, isSameMark: false })
    if (id !== undefined && !deleter.seen.includes(id)) deleter.seen.push(id)
    const again = rule !== 'list once' && rule !== 'list first' && deleter.isNew
    deleter.phase = deleter.listed.length > 0 ? 'take' : again ? 'list' : 'drop'
  }

  function die(actor: Forker | Deleter, next: State): void {
    next.crashes--
    actor.phase = 'dead'
  }
}
