import { changed, type Model, type Step } from './explore.ts'

/** How a writer settles an append whose outcome is unknown: core's rule, or one that was rejected. */
export type Settling =
  /** Take the same index with the same batch; whoever holds it tells. When the caller is gone, with a batch that means nothing. */
  | 'take the index'
  /** Look: where nothing stands, nothing was written. */
  | 'believe an empty index'
  /** Where something stands, another writer was first: go behind it. */
  | 'go behind'
  /** The last answer counts: a refusal after a time-out is a failure. */
  | 'believe the last answer'
  /** What stands there reads like mine, so it is mine. */
  | 'compare content'

/** The size of the instance. */
export interface AppendUncertainOptions {
  readonly settling: Settling
  /** How many messages each writer has to append, one after the other. */
  readonly messages: readonly number[]
  /** How often a request or an answer may be late or lost. */
  readonly losses: number
  /** How many requests the network may send twice. */
  readonly copies: number
  /** How often a writer may crash and start again. */
  readonly crashes: number
  /** How many requests the store may refuse, with nothing written. Whatever refuses a request refuses its copies. */
  readonly refusals: number
}

/** A request on its way, which its writer waits for or not, or a copy of the one that it waits for. */
interface Request {
  readonly by: number
  readonly at: number
  readonly batch: string
  kind: 'awaited' | 'copy' | 'late'
}

interface Writer {
  /** The message that is being appended, or is next. */
  message: number
  /** `gone`: the caller was told that the outcome is unknown, and waits no longer. */
  phase: 'idle' | 'waiting' | 'unsure' | 'looking' | 'gone'
  /** The index that is being taken; decided before anything else. */
  at: number
  /** What is being put there: the message, or `void`. */
  batch: string
  /** Whether an earlier attempt at this index may yet take effect. */
  uncertain: boolean
  /** How many attempts were made for this caller. */
  attempts: number
  /** Counts this writer's void batches, so that each is another one. */
  voids: number
}

interface State {
  /** What stands at each index. A bucket takes whatever comes to an index that is free, also behind a gap. */
  slots: (string | null)[]
  network: Request[]
  writers: Writer[]
  /** Told the caller: stored at this index. */
  acknowledged: Record<string, number>
  /** Told the caller: not stored, and it never will be. */
  failed: string[]
  losses: number
  copies: number
  crashes: number
  refusals: number
}

const ATTEMPTS = 2
const IDLE = { phase: 'idle', at: 0, batch: '', uncertain: false, attempts: 0 } as const

/**
 * Writers append to one log through a network that loses, delays and doubles requests and loses answers.
 *
 * The store is the weakest one that there is: it creates an index that is free. That the log has no gap is up to the writers.
 */
export function appendUncertain(options: AppendUncertainOptions): Model<State> {
  const { settling, messages, losses, copies, crashes, refusals } = options
  const content = (batch: string) => (settling === 'compare content' ? batch.replace(/^\w+\./, '') : batch)
  return {
    initial: {
      slots: [],
      network: [],
      writers: messages.map(() => ({ message: 0, ...IDLE, voids: 0 })),
      acknowledged: {},
      failed: [],
      losses,
      copies,
      crashes,
      refusals,
    },
    *steps(state) {
      for (const by of state.writers.keys()) yield* writerSteps(state, by)
      for (const i of state.network.keys()) yield* networkSteps(state, i)
    },
    invariants: {
      'an acknowledged message stands at its index': ({ acknowledged, slots }) =>
        Object.entries(acknowledged)
          .filter(([batch, at]) => slots[at] !== batch)
          .map(([batch, at]) => `${batch} was acknowledged at ${at}, where ${slots[at]} stands`)[0],
      'no message is stored twice': ({ slots }) =>
        slots
          .filter((batch, at) => batch !== null && slots.indexOf(batch) !== at)
          .map((batch) => `${batch} is stored twice`)[0],
      'what failed is never stored': ({ failed, slots }) =>
        failed.filter((batch) => slots.includes(batch)).map((batch) => `${batch} failed, and is stored`)[0],
      'the log has no gap': ({ slots }) =>
        slots.includes(null) ? `nothing stands at ${slots.indexOf(null)}` : undefined,
    },
  }

  function* writerSteps(state: State, by: number): Generator<Step<State>> {
    const writer = state.writers[by] as Writer
    const name = `W${by}`
    const request = (phase: string, change: (writer: Writer, state: State) => void) =>
      step(state, by, `${name} ${phase}`, (next, all) => {
        change(next, all)
        next.phase = 'waiting'
        next.attempts++
        all.network.push({ by, at: next.at, batch: next.batch, kind: 'awaited' })
      })
    const isDone = writer.message >= (messages[by] ?? 0)
    switch (writer.phase) {
      case 'idle':
        if (isDone) break
        yield request(`looks and sends ${by}.${writer.message} to ${state.slots.length}`, (next, { slots }) => {
          next.at = slots.length
          next.batch = `${by}.${next.message}`
        })
        break
      case 'waiting':
        if (state.losses > 0)
          yield step(state, by, `${name} waits no longer`, (next, all) => {
            all.losses--
            unsure(all, by)
            next.phase = 'unsure'
          })
        break
      case 'unsure':
        yield* settle(state, by, request)
        break
      case 'looking':
        yield step(state, by, `${name} looks who holds ${writer.at}`, (next, all) => decide(next, all, by))
        break
      case 'gone':
        // The caller's next call decides first: with the same batch, or, if nobody wants it any more, with a void one.
        yield request(`takes ${writer.at} with the same batch`, () => {})
        if (writer.batch.includes('.'))
          yield request(`takes ${writer.at} with a void batch`, (next) => {
            next.batch = `void${by}-${next.voids++}`
          })
        break
    }
    if (state.crashes > 0 && writer.phase !== 'idle')
      yield step(state, by, `${name} crashes and starts again`, (next, all) => {
        all.crashes--
        forget(all, by)
        Object.assign(next, IDLE, { message: next.message + 1 })
      })
  }

  function* settle(
    state: State,
    by: number,
    request: (phase: string, change: (writer: Writer, state: State) => void) => Step<State>,
  ): Generator<Step<State>> {
    const { at, attempts } = state.writers[by] as Writer
    if (settling === 'believe an empty index' && state.slots[at] === undefined) {
      yield step(state, by, `W${by} finds nothing at ${at}: it failed`, (next, all) => fail(next, all))
    } else if (settling === 'go behind' && state.slots[at] !== undefined) {
      yield step(state, by, `W${by} finds ${at} taken and goes behind`, (next) => void Object.assign(next, IDLE))
    } else if (attempts < ATTEMPTS) {
      yield request(`sends the same batch to ${at} again`, () => {})
    } else {
      yield step(state, by, `W${by} gives up: unknown`, (next) => {
        next.phase = 'gone'
        next.attempts = 0
      })
    }
  }

  function* networkSteps(state: State, i: number): Generator<Step<State>> {
    const { by, at, batch, kind } = state.network[i] as Request
    const awaited = kind === 'awaited'
    const isFree = (state.slots[at] ?? null) === null
    const what = `${batch} for ${at}`
    const arrive = (name: string, answer: boolean, change?: (state: State) => void) =>
      take(state, name, i, (next) => {
        change?.(next)
        if (isFree) {
          while (next.slots.length < at) next.slots.push(null)
          next.slots[at] = batch
        }
        if (!awaited) return
        const writer = next.writers[by] as Writer
        for (const each of next.network) if (each.by === by && each.kind === 'copy') each.kind = 'late'
        if (!answer) {
          unsure(next, by)
          writer.phase = 'unsure'
        } else if (isFree) acknowledge(writer, next)
        else writer.phase = 'looking'
      })
    yield arrive(`${what} arrives`, true)
    if (awaited && state.losses > 0)
      yield arrive(`${what} arrives, the answer is lost`, false, (next) => void next.losses--)
    if (!awaited) yield take(state, `${what} is lost`, i, () => {})
    if (state.copies > 0)
      yield {
        name: `${what} is doubled`,
        state: changed(state, (next) => {
          next.copies--
          next.network.push({ by, at, batch, kind: awaited ? 'copy' : kind })
        }),
      }
    const hasLanded = state.slots[at] === batch && !state.writers[by]?.uncertain
    if (awaited && state.refusals > 0 && !hasLanded)
      yield take(state, `${what} is refused`, i, (next) => {
        next.refusals--
        next.network = next.network.filter((each) => each.by !== by || each.kind !== 'copy')
        const writer = next.writers[by] as Writer
        if (writer.uncertain && settling !== 'believe the last answer') writer.phase = 'unsure'
        else fail(writer, next)
      })
  }

  /** Somebody holds the index: it is mine, or I was never there. */
  function decide(writer: Writer, state: State, by: number): void {
    if (content(state.slots[writer.at] ?? '') === content(writer.batch)) return acknowledge(writer, state)
    if (writer.batch.startsWith('void')) {
      // My message may be what my void batch met.
      writer.batch = `${by}.${writer.message}`
      if (state.slots[writer.at] === writer.batch) return acknowledge(writer, state)
    }
    Object.assign(writer, IDLE)
  }

  function acknowledge(writer: Writer, state: State): void {
    if (writer.batch.startsWith('void')) return fail(writer, state)
    state.acknowledged[writer.batch] = writer.at
    finish(writer)
  }

  function fail(writer: Writer, state: State): void {
    state.failed = [...state.failed, `${state.writers.indexOf(writer)}.${writer.message}`].toSorted()
    finish(writer)
  }
}

function finish(writer: Writer): void {
  Object.assign(writer, IDLE, { message: writer.message + 1 })
}

function unsure(state: State, by: number): void {
  ;(state.writers[by] as Writer).uncertain = true
  forget(state, by)
}

/** Nobody waits for an answer any more. */
function forget(state: State, by: number): void {
  for (const each of state.network) if (each.by === by) each.kind = 'late'
}

function step(state: State, by: number, name: string, change: (writer: Writer, state: State) => void): Step<State> {
  return { name, state: normal(changed(state, (next) => change(next.writers[by] as Writer, next))) }
}

function take(state: State, name: string, i: number, change: (state: State) => void): Step<State> {
  return {
    name,
    state: normal(
      changed(state, (next) => {
        next.network.splice(i, 1)
        change(next)
      }),
    ),
  }
}

/** Requests have no order, and acknowledgements none either. */
function normal(state: State): State {
  state.network.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  state.acknowledged = Object.fromEntries(Object.entries(state.acknowledged).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return state
}
