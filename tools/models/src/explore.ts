/**
 * A protocol as a transition system. A state is plain JSON: two states are the same if their JSON texts are, so a model writes
 * object keys in one order and sorts what has no order.
 */
export interface Model<State> {
  readonly initial: State
  /** Every step that anybody can take from a state; none ends the run there. A step must not change the state that it is given. */
  steps(state: State): Iterable<Step<State>>
  /** What must hold in every state: returns what is wrong, or undefined. */
  readonly invariants: Readonly<Record<string, (state: State) => string | undefined>>
}

/** One atomic step: what happened, in words, and the state after it. */
export interface Step<State> {
  readonly name: string
  readonly state: State
}

/** What {@link explore} found. */
export interface Exploration {
  /** How many different states were reached. */
  readonly states: number
  readonly transitions: number
  /** The length of the longest of all shortest ways to a state. */
  readonly depth: number
  /** How many states have no step: runs that came to an end. */
  readonly ends: number
  /** The first state found that breaks an invariant, by a shortest way there. */
  readonly violation: Violation | undefined
}

/** A broken invariant with the schedule that breaks it. */
export interface Violation {
  readonly invariant: string
  readonly problem: string
  readonly trace: readonly string[]
  /** The JSON of the state at the end of the trace. */
  readonly state: string
}

/** Options of {@link explore}. */
export interface ExploreOptions {
  /** Gives up beyond so many states, so that a model that grew never looks like one that was checked. Default 2,000,000. */
  readonly maxStates?: number
}

interface Visit {
  readonly key: string
  readonly from: number
  readonly step: string
  readonly depth: number
}

/**
 * Visits every state that a model can reach, breadth first, and returns what was found.
 *
 * Contract
 * - Without a violation every reachable state was visited, and every invariant holds in all of them.
 * - With one, its trace is as short as any that breaks an invariant.
 * - More than `maxStates` states throw a `RangeError`.
 */
export function explore<State>(model: Model<State>, { maxStates = 2_000_000 }: ExploreOptions = {}): Exploration {
  const visits: Visit[] = []
  const known = new Set<string>()
  let transitions = 0
  let ends = 0
  const visit = (key: string, from: number, step: string) => {
    if (known.has(key)) return
    if (known.size === maxStates) throw new RangeError(`more than ${maxStates} states; make the instance smaller`)
    known.add(key)
    visits.push({ key, from, step, depth: (visits[from]?.depth ?? -1) + 1 })
  }
  const found = (violation?: Violation): Exploration => ({
    states: known.size,
    transitions,
    depth: visits.at(-1)?.depth ?? 0,
    ends,
    violation,
  })

  visit(JSON.stringify(model.initial), -1, '')
  for (let index = 0; index < visits.length; index++) {
    const { key } = visits[index] as Visit
    const state = JSON.parse(key) as State
    for (const [invariant, check] of Object.entries(model.invariants)) {
      const problem = check(state)
      if (problem !== undefined) return found({ invariant, problem, trace: traceTo(visits, index), state: key })
    }
    let isEnd = true
    for (const step of model.steps(state)) {
      isEnd = false
      transitions++
      visit(JSON.stringify(step.state), index, step.name)
    }
    if (isEnd) ends++
  }
  return found()
}

function traceTo(visits: readonly Visit[], index: number): string[] {
  const trace: string[] = []
  for (let at = index; at > 0; at = (visits[at] as Visit).from) trace.push((visits[at] as Visit).step)
  return trace.toReversed()
}

/** The schedule of a violation, one numbered step a line. */
export function describeViolation({ invariant, problem, trace, state }: Violation): string {
  const steps = trace.map((step, i) => `${String(i + 1).padStart(3)}. ${step}`)
  return [`${invariant}: ${problem}`, ...steps, `     ${state}`].join('\n')
}

/** A deep copy for a step to change. */
export function changed<State>(state: State, change: (copy: State) => void): State {
  const copy = JSON.parse(JSON.stringify(state)) as State
  change(copy)
  return copy
}
