import { systemClock, type Clock, type Entry, type StorageAdapter } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import type { TestStore } from '../harness.ts'
import type { OpenSessions } from '../session-case.ts'
import { outcomeOf, type Outcome } from '../rejection.ts'
import { mortal } from './mortal.ts'
import { newView } from './model-state.ts'
import { ModelSession } from './session-model.ts'
import { expectCode, type Handle, type Opened, type Plan } from './plan.ts'
import { Planner } from './planner.ts'
import { describe, describeModel, plainOf, shapeOf, type Shape } from './shape.ts'
import type { Call, SessionStep } from './step.ts'

// Far beyond what any call of a run needs at most.
const WAIT = 60_000

/** What an append by a handle that lags behind comes to, once its session is deleted and its log dropped (`[drop.late]`). */
export type LateAppends = 'refused' | 'refused or garbage'

/** Takes steps on real sessions and on the model, and asserts that both agree. */
export class SessionRun {
  readonly #store: TestStore
  readonly #openSessions: OpenSessions
  readonly #handles: Handle[] = []
  readonly #dead: StorageAdapter[] = []
  #world = new Map<string, ModelSession>()
  readonly #planner = new Planner(() => systemClock.now() + this.#ahead)
  #ahead = 0
  readonly #isAlone: boolean

  readonly #lateAppends: LateAppends

  constructor(store: TestStore, isAlone: boolean, open: OpenSessions, lateAppends: LateAppends) {
    this.#lateAppends = lateAppends
    this.#store = store
    this.#openSessions = open
    this.#isAlone = isAlone
  }

  async start(handles: number): Promise<void> {
    for (let i = 0; i < handles; i++) this.#handles.push(await this.#open())
  }

  async take(step: SessionStep): Promise<void> {
    if (step.do === 'wait') {
      this.#ahead += WAIT
      return
    }
    const handle = this.#handles[step.handle]
    assert(handle !== undefined, `there is a handle ${step.handle}`)
    switch (step.do) {
      case 'create':
        return this.#create(handle, `s${step.id}`)
      case 'reopen':
        return this.#reopen(step.handle, step.crash)
      case 'read':
        return this.#read(handle, this.#pick(step.session))
      case 'call': {
        const model = this.#pick(step.session)
        const opened = model && (await this.#openSession(handle, model))
        if (model && opened) await this.#call(step.handle, { model, ...opened }, step.call, step.dies)
      }
    }
  }

  /** Compares every session, through every handle and a new one. */
  async compare(): Promise<void> {
    if (!this.#isAlone) this.#handles.push(await this.#open())
    for (const handle of this.#handles) {
      for (const model of this.#world.values()) await this.#read(handle, model)
    }
    const ids = []
    const last = this.#handles.at(-1)
    if (last) for await (const { id } of last.sessions.list()) ids.push(id)
    const living = [...this.#world.values()].filter(({ isDeleted }) => !isDeleted).map(({ id }) => id)
    assertEqual(ids.toSorted(), living.toSorted(), 'the list')
  }

  /** Closes what is open; never rejects. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.#handles.map(({ adapter }) => adapter), ...this.#dead].map((one) => one.close()))
  }

  // No lease is ever renewed: time passes only where a step says so.
  #clock(): Clock {
    return {
      now: () => systemClock.now() + this.#ahead,
      elapsed: () => systemClock.elapsed() + this.#ahead,
      timer: (milliseconds, wake) => (milliseconds < 5_000 ? systemClock.timer(milliseconds, wake) : () => {}),
    }
  }

  async #open(): Promise<Handle> {
    const adapter = await this.#store.open()
    const process = mortal(adapter)
    const sessions = this.#openSessions(process.adapter, { clock: this.#clock() })
    return { sessions, process, adapter, opened: new Map() }
  }

  /** A handle that only looks. */
  async #openAside(): Promise<Handle> {
    const handle = await this.#open()
    this.#dead.push(handle.adapter)
    return handle
  }

  async #reopen(at: number, crash: boolean): Promise<void> {
    const handle = this.#handles[at] as Handle
    this.#planner.forget(handle)
    if (crash) await handle.adapter.close()
    else await handle.sessions.close()
    this.#handles[at] = await this.#open()
  }

  #pick(session: number): ModelSession | undefined {
    const all = [...this.#world.values()]
    return all[session % all.length]
  }

  async #create({ sessions, opened }: Handle, id: string): Promise<void> {
    const model = this.#world.get(id)
    const outcome = await outcomeOf(sessions.create(id))
    expectCode(outcome, model && (model.isDeleted ? 'DELETED' : 'EXISTS'), `create ${id}`)
    if (!outcome.ok) return
    this.#world.set(id, new ModelSession(id))
    opened.set(id, { session: outcome.value, view: newView() })
  }

  async #openSession({ sessions, opened }: Handle, { id, isDeleted }: ModelSession): Promise<Opened | undefined> {
    const known = opened.get(id)
    if (known) return known
    const outcome = await outcomeOf(sessions.open(id))
    expectCode(outcome, isDeleted ? 'DELETED' : undefined, `open ${id}`)
    if (!outcome.ok) return undefined
    const one = { session: outcome.value, view: newView() }
    opened.set(id, one)
    return one
  }

  async #read(handle: Handle, model: ModelSession | undefined): Promise<void> {
    const opened = model && (await this.#openSession(handle, model))
    // A handle that had it open may still show what it has read of a session that is deleted.
    if (!opened || model.isDeleted) return
    const shape = await shapeOf(opened.session)
    assertEqual(shape.plain, plainOf(model), `session ${model.id}`)
    this.#learn(model, shape)
    model.show(opened.view)
    const info = await opened.session.activeTurn()
    const { lease } = model
    assertEqual(
      info && [info.turnId, info.owner, info.epoch],
      lease && [lease.turn, lease.owner, lease.epoch],
      `the lease of ${model.id}`,
    )
  }

  #learn(model: ModelSession, { ids }: Shape): void {
    for (const [i, entry] of model.entries.entries()) entry.id ??= ids[i]
  }

  async #call(
    at: number,
    target: Opened & { readonly model: ModelSession },
    call: Call,
    dies: number | undefined,
  ): Promise<void> {
    const handle = this.#handles[at] as Handle
    const before = target.model.copy()
    const plan = this.#planner.plan(handle, target, call)
    if (!plan) return
    const what = `${call.do} in ${before.id}`
    if (dies === undefined) return this.#check(plan, await outcomeOf(plan.real()), what)
    const crashed = handle.process.dieAfter(dies)
    const ended = await Promise.race([outcomeOf(plan.real()), crashed])
    if (ended !== undefined) {
      handle.process.spare()
      return this.#check(plan, ended, what)
    }
    this.#planner.forget(handle)
    this.#dead.push(handle.adapter)
    this.#handles[at] = await this.#open()
    await this.#settle([[before], ...plan.states], what)
    if (call.do === 'delete') await this.#finishDelete(what)
  }

  /** Of a deletion that was interrupted forks survive each step; handles that have the session open are told when a sweep has finished it. */
  async #finishDelete(what: string): Promise<void> {
    const { sessions } = await this.#openAside()
    for (const model of this.#world.values()) {
      assertEqual(
        await describe(sessions, model.id),
        describeModel(model),
        `session ${model.id} after ${what}, interrupted`,
      )
    }
    const { failed } = await sessions.sweep()
    assertEqual(failed, [], 'what a sweep could not do')
  }

  /** Finds out which of the states that a death may leave is there. */
  async #settle(states: readonly (readonly ModelSession[])[], what: string): Promise<void> {
    const { sessions } = await this.#openAside()
    const seen: string[] = []
    for (const state of states.toReversed()) {
      const ids = new Set(states.flat().map(({ id }) => id))
      let fits = true
      for (const id of ids) {
        const model = state.find((one) => one.id === id)
        const real = await describe(sessions, id)
        const expected = model ? describeModel(model) : 'NOT_FOUND'
        if (real === expected) continue
        fits = false
        seen.push(`${real} instead of ${expected}`)
        break
      }
      if (!fits) continue
      for (const model of state) this.#world.set(model.id, model)
      for (const id of ids) if (!state.some((one) => one.id === id)) this.#world.delete(id)
      return
    }
    assert(false, `${what}, interrupted: neither done nor undone: ${seen.join('; ')}`)
  }

  /** Acknowledged into a log that nobody names: the session stays deleted, for everybody. */
  async #expectDeleted(models: readonly ModelSession[], what: string): Promise<void> {
    const { sessions } = await this.#openAside()
    for (const { id } of models) assertEqual(await describe(sessions, id), 'DELETED', `${what}, which came too late`)
  }

  async #check(plan: Plan, outcome: Outcome<unknown>, what: string): Promise<void> {
    const { expected } = plan
    if (outcome.ok && expected === 'DELETED' && plan.isLate && this.#lateAppends !== 'refused') {
      return this.#expectDeleted(plan.states.flat(), what)
    }
    expectCode(outcome, typeof expected === 'string' ? expected : undefined, what, plan.or)
    if (!outcome.ok || typeof expected === 'string') return plan.look?.()
    for (const model of plan.states.at(-1) ?? []) this.#world.set(model.id, model)
    if ('value' in expected) assertEqual(outcome.value, expected.value, what)
    else if (plan.isAppend) {
      const entries = ([outcome.value] as (Entry | readonly Entry[])[]).flat() as readonly Entry[]
      assertEqual(
        entries.map(({ parentId, turnId }) => [parentId, turnId]),
        expected.map(({ parent, turn }, i) => [parent ? (parent.id ?? entries[i]?.parentId) : null, turn]),
        `${what}: parents and turns`,
      )
      for (const [i, entry] of expected.entries()) entry.id ??= entries[i]?.id
    }
    plan.done?.(outcome.value)
  }
}
