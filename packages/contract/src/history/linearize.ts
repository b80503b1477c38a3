import type { DocumentCall } from './call.ts'
import { describe, isAcknowledged, isRefused } from './call.ts'

/** The first call whose answer no order of the calls explains. */
export interface Stuck {
  readonly call: DocumentCall
  readonly message: string
}

/**
 * Looks for an order of the calls on one document in which each takes effect at one moment between its start and its end, and a put or remove
 * finds the version that it expects. A call without a definite answer may take effect at any time after its start, or never. Returns
 * nothing if there is such an order.
 *
 * Walks through the starts and ends in the order of time with every state that the document can be in. A call that ends must have taken effect:
 * states in which it has not are carried on by the open writes that lead there, or given up.
 */
export function linearize(calls: readonly DocumentCall[]): Stuck | undefined {
  const steps = stepsOf(calls)
  const moments = steps
    .flatMap((step) => [
      { step, time: step.call.start, starts: true },
      ...(step.certain ? [{ step, time: step.call.end, starts: false }] : []),
    ])
    // At one time everything that starts overlaps everything that ends.
    .toSorted((a, b) => a.time - b.time || Number(b.starts) - Number(a.starts))
  const open = new Set<Step>()
  const passed = new Set<string>()
  let states = new Map<string, State>()
  keep(states, { version: undefined, done: new Set() }, open)

  for (const { step, starts } of moments) {
    const next = new Map<string, State>()
    if (starts) {
      open.add(step)
      for (const state of states.values()) keep(next, state, open)
    } else {
      for (const state of reach(states.values(), step, open)) keep(next, forget(state, step), open, step)
      open.delete(step)
      if (next.size === 0) return { call: step.call, message: explain(step, states.values()) }
    }
    const [only] = next.size === 1 ? next.values() : []
    states = only ? settle(only, open, passed) : next
  }
  return undefined
}

/**
 * Where only one state is left, what has taken effect in it has done so for good, and a write that expects a version which is no longer
 * current never will: no version returns. Without this every call that never ended would be looked at again with each later one.
 */
function settle(state: State, open: Set<Step>, passed: Set<string>): Map<string, State> {
  for (const step of open) {
    if (step.certain) continue
    const gone = step.expects !== undefined && step.expects !== state.version && passed.has(step.expects)
    if (gone || state.done.has(step)) open.delete(step)
  }
  if (state.version !== undefined) passed.add(state.version)
  const settled = new Map<string, State>()
  keep(settled, { version: state.version, done: new Set([...state.done].filter((step) => step.certain)) }, open)
  return settled
}

/** What a put leaves behind that nobody was told of and no read has shown: no version has a space. */
const UNSEEN = 'a version that nobody saw'

/** One call as the search sees it. */
interface Step {
  readonly id: number
  readonly call: DocumentCall
  /** It must have taken effect when it ended. */
  readonly certain: boolean
  readonly writes: boolean
  /** The one version that it can take effect at; undefined if it may be absent or any. */
  readonly expects: string | undefined
  /** Whether it can take effect when the document is at this version (`undefined`: absent). */
  fits(version: string | undefined): boolean
  /** The versions that it may leave behind. */
  readonly leaves: readonly (string | undefined)[]
}

interface State {
  readonly version: string | undefined
  /** Open steps that have taken effect. */
  readonly done: ReadonlySet<Step>
}

function stepsOf(calls: readonly DocumentCall[]): Step[] {
  const told = new Set(calls.map(({ answer }) => answer?.version))
  // The versions that reads showed and no put was told, by their value: those of puts whose answer was lost.
  const shown = new Map<string, Set<string>>()
  for (const { answer } of calls) {
    if (!answer?.document || told.has(answer.document.version)) continue
    const { value, version } = answer.document
    shown.set(value, (shown.get(value) ?? new Set()).add(version))
  }
  return calls.flatMap((call, id): Step[] => {
    const { request, answer } = call
    const certain = isAcknowledged(call)
    if (request.operation === 'get') {
      const seen = answer?.document?.version
      return certain
        ? [{ id, call, certain, writes: false, expects: seen, fits: (version) => version === seen, leaves: [] }]
        : []
    }
    const expect = request.expect === 'absent' ? undefined : request.expect
    const expects = expect ?? undefined
    const fits = (version: string | undefined) => expect === null || version === expect
    if (isRefused(call)) {
      // A CONFLICT says that there was a moment at which another version was current; other failures say nothing.
      if (answer?.code !== 'CONFLICT') return []
      return [
        { id, call, certain: true, writes: false, expects: undefined, fits: (version) => !fits(version), leaves: [] },
      ]
    }
    if (request.operation === 'remove') return [{ id, call, certain, writes: true, expects, fits, leaves: [undefined] }]
    const leaves = certain ? [answer?.version] : [...(shown.get(request.value) ?? []), UNSEEN]
    return [{ id, call, certain, writes: true, expects, fits, leaves }]
  })
}

/** Adds a state in which every open call that changes nothing, and fits now, has taken effect: waiting would not help it. */
function keep(states: Map<string, State>, { version, done }: State, open: ReadonlySet<Step>, ended?: Step): void {
  const all = new Set(done)
  for (const step of open) if (!step.writes && step !== ended && step.fits(version)) all.add(step)
  const ids = Array.from(all, ({ id }) => id).toSorted((a, b) => a - b)
  const key = JSON.stringify([version ?? null, ids])
  if (!states.has(key)) states.set(key, { version, done: all })
}

/** The states in which a call has taken effect that can be reached from these by open writes. */
function reach(from: Iterable<State>, target: Step, open: ReadonlySet<Step>): State[] {
  const reached: State[] = []
  const seen = new Map<string, State>()
  for (const state of from) keep(seen, state, open)
  // A map that grows while it is walked through: each state once.
  for (const state of seen.values()) {
    if (state.done.has(target)) {
      reached.push(state)
      continue
    }
    for (const step of open) {
      if (!step.writes || state.done.has(step) || !step.fits(state.version)) continue
      for (const version of step.leaves) {
        // A removal or put that nobody knows of, and nobody sees the value of, may as well take effect twice: a network delivers twice. To
        // keep count of these would double the states with each.
        const uncounted = !step.certain && (version === undefined || version === UNSEEN)
        keep(seen, { version, done: uncounted ? state.done : new Set([...state.done, step]) }, open)
      }
    }
  }
  return reached
}

function forget({ version, done }: State, ended: Step): State {
  return { version, done: new Set([...done].filter((step) => step !== ended)) }
}

function explain(step: Step, states: Iterable<State>): string {
  const { request, answer } = step.call
  const possible = [...new Set(Array.from(states, ({ version }) => version ?? 'absent'))].slice(0, 5).join(', ')
  const before = `the last states that the other calls allow: ${possible}`
  const who = describe(step.call)
  if (request.operation === 'get') {
    const shown = answer?.document ? `version ${answer.document.version}` : 'no document'
    return `${who} shows ${shown}, which was not current at any moment between its start and its end; ${before}`
  }
  const expected =
    request.expect === null ? 'any version' : request.expect === 'absent' ? 'no document' : request.expect
  if (isRefused(step.call)) return `${who} was told CONFLICT although ${expected} was current all the time; ${before}`
  return `${who} was acknowledged although it expected ${expected}, which was not current; ${before}`
}
