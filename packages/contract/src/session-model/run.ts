import {
  systemClock,
  type Clock,
  type Entry,
  type RoleMessage,
  type Session,
  type StorageAdapter,
  type Turn,
} from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import type { TestStore } from '../harness.ts'
import type { OpenSessions } from '../session-case.ts'
import { outcomeOf, type Outcome } from '../rejection.ts'
import { mortal } from './mortal.ts'
import { ModelSession, newView, type ModelEntry, type ModelTurn, type View } from './session-model.ts'
import { expectCode, type Handle, type Opened, type Plan, type Slot } from './plan.ts'
import { describe, describeModel, plainOf, shapeOf, type Shape } from './shape.ts'
import type { Call, SessionStep } from './step.ts'

// Far beyond what any call of a run needs at most.
const WAIT = 60_000

/** Takes steps on real sessions and on the model, and asserts that both agree. */
export class SessionRun {
  readonly #store: TestStore
  readonly #openSessions: OpenSessions
  readonly #handles: Handle[] = []
  readonly #dead: StorageAdapter[] = []
  #world = new Map<string, ModelSession>()
  #slots: Slot[] = []
  #serial = 0
  #ahead = 0
  readonly #isAlone: boolean

  constructor(store: TestStore, isAlone: boolean, open: OpenSessions) {
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

  get #now(): number {
    return systemClock.now() + this.#ahead
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
    this.#slots = this.#slots.filter((slot) => slot.handle !== handle)
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
    const plan = this.#plan(handle, target, call)
    if (!plan) return
    const what = `${call.do} in ${before.id}`
    if (dies === undefined) return this.#check(plan, await outcomeOf(plan.real()), what)
    const crashed = handle.process.dieAfter(dies)
    const ended = await Promise.race([outcomeOf(plan.real()), crashed])
    if (ended !== undefined) {
      handle.process.spare()
      return this.#check(plan, ended, what)
    }
    this.#slots = this.#slots.filter((slot) => slot.handle !== handle)
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

  async #check(plan: Plan, outcome: Outcome<unknown>, what: string): Promise<void> {
    const { expected } = plan
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

  /** What a call does. The model's session is changed at once; it becomes what is there when the call has ended. */
  #plan(handle: Handle, { session, view, model }: Opened & { model: ModelSession }, call: Call): Plan | undefined {
    const named = model.named
    const entryAt = (at: number) => named[at % named.length]
    const place = (at: number | null | undefined) => (typeof at === 'number' ? (entryAt(at) ?? undefined) : at)
    const whole = (expected: Plan['expected'], real: Plan['real'], isAppend = false): Plan => ({
      real,
      expected,
      states: [[model]],
      isAppend,
    })
    const ids = (count: number) => Array.from({ length: count }, () => `e${this.#serial++}`)
    switch (call.do) {
      case 'append': {
        const { onConflict, leaf, force } = call
        const [parent, given] = [place(call.parent), ids(call.count)]
        const look = model.isBack(view)
        if (look) model.show(view)
        const isStale = call.onConflict === 'reject' && call.parent === undefined && view.shown !== model.leaf
        const expected = model.append(view, { ids: given, onConflict, parent, leaf, force })
        const options = { id: given, onConflict, leaf, force, parent: parent && reference(parent) }
        const real = async () => {
          if (look) await session.leaf()
          return session.append(given.map(message), options)
        }
        const show = async () => {
          if (model.isDeleted) return
          await session.leaf()
          model.show(view)
        }
        const or = isStale && expected === 'ACTIVE_TURN' ? 'CONFLICT' : undefined
        return { ...whole(expected, real, true), or, look: show }
      }
      case 'append again': {
        const entry = entryAt(call.entry)
        // What a handle remembers of a session that is deleted it may still recognise: nothing is written.
        if (entry?.kind !== 'user_message' || model.isDeleted) return undefined
        const content = message(call.same ? String(entry.text) : 'other')
        const code = call.same ? undefined : 'DUPLICATE'
        model.show(view)
        const real = async () => {
          // A handle that lags behind may be told CONFLICT before it looks for the id.
          await session.leaf()
          return session.append([content], { id: [reference(entry)], ifAbsent: 'whole-log' })
        }
        return whole(code ?? [entry], real, true)
      }
      case 'move': {
        const target = place(call.target) ?? null
        // What a handle remembers of a session that is deleted may agree that the leaf is there: nothing is written.
        if (model.isDeleted) return undefined
        const expected = model.move(view, target, call.force)
        return whole(expected, () => session.moveTo(target && reference(target), { force: call.force }))
      }
      case 'label': {
        const entry = entryAt(call.entry)
        if (!entry) return undefined
        return whole(model.label(view, entry), () => session.label(reference(entry), 'label'), true)
      }
      case 'fork':
        return this.#planFork(handle, { session, view, model }, call)
      case 'delete': {
        const expected = model.delete({ force: call.force, now: this.#now })
        return whole(expected, () => handle.sessions.delete(model.id, { force: call.force }))
      }
      case 'begin': {
        const from = place(call.from)
        const turn = { id: `t${this.#serial}`, owner: `o${this.#serial++}` }
        const options = { force: call.force, now: this.#now }
        const lent = model.copy()
        lent.lend(turn, options)
        const begun = model.begin(view, turn, from, options)
        const real = () =>
          session.beginTurn({ turnId: turn.id, owner: turn.owner, force: call.force, from: from && reference(from) })
        return {
          ...whole(typeof begun === 'string' ? begun : [], real),
          states: [[lent], [model]],
          done: (value) => {
            const started = value as Turn<RoleMessage>
            const held = begun as ModelTurn
            assertEqual(started.epoch, held.epoch, 'the epoch of the turn')
            this.#slots.push({ handle, session: model.id, turn: started, model: held })
          },
        }
      }
      case 'append in turn': {
        const slot = this.#slotOf(model, call.turn)
        if (!slot) return undefined
        const given = ids(call.count)
        const expected = model.appendInTurn(this.#viewOf(slot), slot.model, given)
        return whole(expected, () => slot.turn.append(given.map(message), { id: given }), true)
      }
      case 'end': {
        const slot = this.#slotOf(model, call.turn)
        if (!slot) return undefined
        const half = model.copy()
        half.endInLog(newView(), { ...slot.model }, call.how)
        const expected = model.end(this.#viewOf(slot), slot.model, call.how)
        return { ...whole(expected, () => end(slot.turn, call.how)), states: [[half], [model]] }
      }
      case 'recover': {
        const expelled = model.copy()
        expelled.expel(this.#now)
        const expected = model.recover(view, this.#now)
        return { ...whole(expected, () => session.recover()), states: [[expelled], [model]] }
      }
      case 'release': {
        const { lease } = model
        if (!lease || model.isDeleted) return undefined
        const owner = call.owner === 'right' ? lease.owner : 'nobody'
        const turnId = lease.turn
        return whole({ value: model.release(turnId, owner) }, () => session.releaseTurn({ turnId, owner }))
      }
    }
  }

  #planFork(
    handle: Handle,
    { session, view, model }: Opened & { model: ModelSession },
    { where, entry: at }: Call & { do: 'fork' },
  ): Plan | undefined {
    const entry = model.named[at % model.named.length]
    if (where !== 'leaf' && !entry) return undefined
    const end = where === 'leaf' ? model.leaf : where === 'at' ? (entry ?? null) : (entry?.parent ?? null)
    const id = `f${this.#serial++}`
    const options = entry && where !== 'leaf' ? { id, [where]: reference(entry) } : { id }
    const real = () => session.fork(options)
    if (model.isDeleted) return { real, expected: 'DELETED', states: [[model]] }
    if (where === 'leaf') model.show(view)
    return {
      real,
      expected: [],
      states: [[model, model.fork(id, end)]],
      done: (value) => {
        const fork = value as Session<RoleMessage>
        assertEqual(fork.forkedFrom?.session, model.id, 'where the fork comes from')
        handle.opened.set(id, { session: fork, view: newView() })
      },
    }
  }

  #slotOf(model: ModelSession, turn: number): Slot | undefined {
    const slots = this.#slots.filter(({ session }) => session === model.id)
    return slots[turn % slots.length]
  }

  #viewOf({ handle, session }: Slot): View {
    return handle.opened.get(session)?.view ?? newView()
  }
}

const message = (text: string): RoleMessage => ({ role: 'user', content: text })

const reference = (entry: ModelEntry): string => String(entry.id)

const end = (turn: Turn<RoleMessage>, how: 'complete' | 'wait' | 'fail' | 'abort') =>
  how === 'fail' ? turn.fail('it failed') : turn[how]()
