import type { RoleMessage, Session, Turn } from '@sessiontree/core'
import { assertEqual } from '../assert.ts'
import { newView, type ModelEntry, type ModelTurn, type View } from './model-state.ts'
import type { ModelSession } from './session-model.ts'
import type { Handle, Opened, Plan, Slot } from './plan.ts'
import type { Call } from './step.ts'

/** Says of each call what it does to the session and to the model, and knows who holds which turn. */
export class Planner {
  readonly #now: () => number
  #slots: Slot[] = []
  #serial = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** The process of a handle has gone, and its turns with it. */
  forget(gone: Handle): void {
    this.#slots = this.#slots.filter(({ handle }) => handle !== gone)
  }

  /** What a call does. The model's session is changed at once; it becomes what is there when the call has ended. */
  plan(handle: Handle, { session, view, model }: Opened & { model: ModelSession }, call: Call): Plan | undefined {
    const named = model.named
    const isBehind = model.isAhead(view)
    const entryAt = (at: number) => named[at % named.length]
    const place = (at: number | null | undefined) => (typeof at === 'number' ? (entryAt(at) ?? undefined) : at)
    const whole = (expected: Plan['expected'], real: Plan['real'], isAppend = false): Plan => ({
      real,
      expected,
      states: [[model]],
      isAppend,
      isLate: isAppend && isBehind,
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
        // Of a session that is deleted a handle may still remember an entry with other content.
        if (entry?.kind !== 'user_message' || (model.isDeleted && !call.same)) return undefined
        const content = message(call.same ? String(entry.text) : 'other')
        const again = () => session.append([content], { id: [reference(entry)], ifAbsent: 'whole-log' })
        if (model.isDeleted) return whole('DELETED', again, true)
        model.show(view)
        // What it has shown of the leaf by then is no matter here.
        const real = async () => {
          try {
            return await again()
          } finally {
            await session.leaf()
          }
        }
        return whole(call.same ? [entry] : 'DUPLICATE', real, true)
      }
      case 'move': {
        const target = place(call.target) ?? null
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
        const expected = model.delete({ force: call.force, now: this.#now() })
        return whole(expected, () => handle.sessions.delete(model.id, { force: call.force }))
      }
      case 'begin': {
        const from = place(call.from)
        const turn = { id: `t${this.#serial}`, owner: `o${this.#serial++}` }
        const options = { force: call.force, now: this.#now() }
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
        const isLate = model.isAhead(this.#viewOf(slot))
        const expected = model.appendInTurn(this.#viewOf(slot), slot.model, given)
        return { ...whole(expected, () => slot.turn.append(given.map(message), { id: given }), true), isLate }
      }
      case 'end': {
        const slot = this.#slotOf(model, call.turn)
        if (!slot) return undefined
        const half = model.copy()
        half.endInLog(newView(), { ...slot.model }, call.how)
        const isLate = model.isAhead(this.#viewOf(slot))
        const expected = model.end(this.#viewOf(slot), slot.model, call.how)
        return { ...whole(expected, () => end(slot.turn, call.how)), states: [[half], [model]], isLate }
      }
      case 'recover': {
        const expelled = model.copy()
        expelled.expel(this.#now())
        const expected = model.recover(view, this.#now())
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
