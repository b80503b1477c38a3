import {
  openSessions,
  SessionError,
  sleep,
  type Entry,
  type RoleMessage,
  type Session,
  type Sessions,
} from '@sessiontree/core'
import { judgeSession } from './judge-session.ts'
import { Aborted, checkAppended, fateOfAppend, type Append, type Attempts } from './session-attempts.ts'
import { fateOf, nameOf, type Outcome, type Process, type World } from './world.ts'

const PROCESSES = 2
const CLIENTS = 4
const CALLS = 20
const SESSIONS = ['alpha', 'beta', 'gamma']
/** The one that is deleted now and then. */
const MORTAL = 'gamma'
const NEVER = new Set([
  'CORRUPT',
  'FORMAT',
  'DELETED',
  'EXISTS',
  'DUPLICATE',
  'INVALID_PARENT',
  'UNSUPPORTED',
  'DENIED',
  'READ_ONLY',
])

/** Clients of several processes work on the same sessions; then what is there is judged. */
export async function sessionSchedule(world: World): Promise<void> {
  const schedule = new SessionSchedule(world)
  await schedule.run()
}

interface Place {
  readonly process: Process
  readonly sessions: Sessions<RoleMessage>
  readonly open: Map<string, Session<RoleMessage>>
}

class SessionSchedule {
  readonly #world: World
  readonly #places: (Place | undefined)[] = []
  readonly #appends: Append[] = []
  readonly #updates: Map<string, Map<string, 'acknowledged' | 'failed' | 'unknown'>> = new Map()
  readonly #created: Set<string> = new Set()
  /** Entries that were acknowledged, by session. */
  readonly #entries: Map<string, Entry<RoleMessage>[]> = new Map()
  readonly #shown: Map<string, readonly string[]> = new Map()
  #age = 0
  #deleted: Attempts['isDeleted'] = 'no'
  #hasGarbage = false

  constructor(world: World) {
    this.#world = world
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, (_, client) => this.#client(client)))
    const adapter = await this.#world.inspect()
    for (const session of SESSIONS) {
      const appends = this.#appends.filter((append) => append.session === session)
      const updates = this.#updates.get(session) ?? new Map()
      const isDeleted = session === MORTAL ? this.#deleted : 'no'
      const isCreated = this.#created.has(session)
      await judgeSession(this.#world, adapter, session, { appends, updates, isCreated, isDeleted })
    }
    await adapter.close()
  }

  async #client(client: number): Promise<void> {
    const { random } = this.#world
    for (let call = 0; call < CALLS; call++) {
      await this.#world.pause()
      const place = this.#place(client)
      const id = random.pick([...SESSIONS, ...SESSIONS.filter((each) => each !== MORTAL)])
      const name = `${place.process.name} c${client}`
      if (random.chance(0.04)) {
        await this.#close(place)
        continue
      }
      const session = await this.#open(place, name, id)
      if (session && random.chance(this.#world.profile.garbage)) await this.#litter(place, name, id)
      if (session) await this.#work(place, name, session, `${client}.${call}`)
      if (session && id === MORTAL && random.chance(0.05)) await this.#delete(place, name, id)
      if (random.chance(0.02)) await this.#sweep(place, name)
      if (session && random.chance(0.02)) await this.#repair(place, name, session)
    }
  }

  async #work(place: Place, name: string, session: Session<RoleMessage>, label: string): Promise<void> {
    const { random } = this.#world
    const acts = [
      'append',
      'append',
      'append',
      'batch',
      'burst',
      'abort',
      'move',
      'update',
      'read',
      'path',
      'verify',
    ] as const
    switch (random.pick(acts)) {
      case 'append':
        return this.#append(place, name, session, [label])
      case 'batch':
        return this.#append(place, name, session, [`${label}a`, `${label}b`, `${label}c`])
      case 'burst': {
        const labels = Array.from({ length: random.between(2, 6) }, (_, i) => `${label}-${i}`)
        await Promise.all(labels.map((each) => this.#append(place, name, session, [each])))
        return
      }
      case 'abort': {
        const controller = new AbortController()
        const delay = random.fraction() * 15
        void sleep(this.#world.time, delay).then(() => controller.abort(new Aborted('enough')))
        return this.#append(place, name, session, [`${label}x`], controller.signal)
      }
      case 'move': {
        const target = random.pick(this.#entries.get(session.id) ?? [])
        if (!target) return
        const outcome = await this.#call(place, `${name} moves ${session.id}`, () => session.moveTo(target))
        return this.#expectKnown(outcome, `move to an entry that is stored`, 'NOT_FOUND')
      }
      case 'update':
        return this.#update(place, name, session, label)
      case 'read':
        return this.#read(place, name, session)
      case 'path':
        return this.#path(place, name, session)
      case 'verify': {
        const outcome = await this.#call(place, `${name} verifies ${session.id}`, () => session.verify())
        this.#expectKnown(outcome, 'verify')
        if ('result' in outcome && !outcome.result.ok && !this.#mayLose() && !this.#hasGarbage) {
          this.#world.violate(
            `verify of ${session.id}: ${outcome.result.problems.map(({ message }) => message).join(' ')}`,
          )
        }
      }
    }
  }

  async #append(
    place: Place,
    name: string,
    session: Session<RoleMessage>,
    labels: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { random } = this.#world
    const texts = labels.map(
      (label) => label + (random.chance(0.05) ? ` ${'x'.repeat(random.between(500, 3000))}` : ''),
    )
    const messages = texts.map((content): RoleMessage => ({ role: 'user', content }))
    const ids = random.chance(0.5) ? labels.map((label) => `id-${label}`) : undefined
    const stored = this.#entries.get(session.id) ?? []
    const parent = random.chance(0.15) && stored.length > 0 ? random.pick(stored) : undefined
    const onConflict = random.chance(0.6) ? 'rebase' : 'reject'
    const append: Append = { session: session.id, texts, ids, fate: 'unknown' }
    this.#appends.push(append)
    const options = { id: ids, parent, onConflict, signal } as const
    let first = true
    for (let tries = 0; tries < 3; tries++) {
      const what = `${name} appends ${labels.join(' and ')} to ${session.id}${first ? '' : ' again'}`
      const outcome = await this.#call(place, what, () => session.append(messages, options))
      this.#expectKnown(outcome, `append of ${labels.join(' and ')}`)
      const fate = fateOfAppend(outcome)
      if ('result' in outcome) {
        append.fate = 'acknowledged'
        this.#world.counts.acknowledged += texts.length
        this.#entries.set(session.id, [...(this.#entries.get(session.id) ?? []), ...outcome.result])
        checkAppended(this.#world, outcome.result, append)
      } else if (first) append.fate = fate
      // With ids of its own a caller may send what is uncertain again.
      if (fate !== 'unknown' || 'died' in outcome || !ids || signal || random.chance(0.3)) return
      first = false
      await this.#world.pause()
    }
  }

  async #update(place: Place, name: string, session: Session<RoleMessage>, label: string): Promise<void> {
    const updates = this.#updates.get(session.id) ?? new Map()
    this.#updates.set(session.id, updates)
    updates.set(label, 'unknown')
    const outcome = await this.#call(place, `${name} updates ${session.id} with ${label}`, () =>
      session.update({ title: label, metadata: { [label]: label } }),
    )
    this.#expectKnown(outcome, `update with ${label}`)
    updates.set(label, fateOf(outcome))
    if ('result' in outcome) this.#world.counts.acknowledged++
  }

  async #delete(place: Place, name: string, id: string): Promise<void> {
    if (this.#deleted === 'no') this.#deleted = 'perhaps'
    const outcome = await this.#call(place, `${name} deletes ${id}`, () => place.sessions.delete(id))
    this.#expectKnown(outcome, `deletion of ${id}`)
    if ('result' in outcome) this.#deleted = 'yes'
  }

  async #sweep(place: Place, name: string): Promise<void> {
    const outcome = await this.#call(place, `${name} sweeps`, () => place.sessions.sweep())
    this.#expectKnown(outcome, 'sweep')
    if (!('result' in outcome)) return
    const { orphans, failed } = outcome.result
    if (orphans.length > 0 && !this.#mayLose())
      this.#world.violate(`sweep finds logs of no session: ${orphans.join(', ')}`)
    for (const failure of failed) {
      const isDamage = failure.code === 'CORRUPT' && (this.#hasGarbage || this.#mayLose())
      if (NEVER.has(failure.code) && !isDamage) this.#world.violate(`sweep: ${failure.code} at ${failure.name}`)
    }
  }

  async #repair(place: Place, name: string, session: Session<RoleMessage>): Promise<void> {
    const outcome = await this.#call(place, `${name} repairs ${session.id}`, () => session.repair())
    this.#expectKnown(outcome, `repair of ${session.id}`)
    if ('result' in outcome && outcome.result.repaired && !this.#hasGarbage && !this.#mayLose()) {
      this.#world.violate(`${session.id} was repaired, and was sound: ${JSON.stringify(outcome.result)}`)
    }
  }

  /** Puts a text that is no record into the newest log of a session: everything but a repair has to refuse it. */
  async #litter(place: Place, name: string, id: string): Promise<void> {
    const { adapter } = place.process
    this.#hasGarbage = true
    const outcome = await this.#call(place, `${name} litters ${id}`, async () => {
      let newest: string | undefined
      for await (const logs of adapter.logs(`session/${id}`)) newest = logs.at(-1) ?? newest
      if (newest === undefined) return
      for await (const { at, records } of adapter.read(newest, { reverse: true, limit: 1 })) {
        await adapter.append(newest, at + records.length, ['"garbage"'])
      }
    })
    this.#expectKnown(outcome, 'litter')
  }

  async #read(place: Place, name: string, session: Session<RoleMessage>): Promise<void> {
    const { age } = this.#world
    if (this.#age !== age) this.#shown.clear()
    this.#age = age
    const before = this.#shown.get(session.id) ?? []
    const outcome = await this.#call(place, `${name} reads ${session.id}`, async () => {
      const ids: string[] = []
      for await (const { id } of session.entries()) ids.push(id)
      return ids
    })
    this.#expectKnown(outcome, `read of ${session.id}`)
    if (!('result' in outcome) || age !== this.#world.age) return
    const flipped = before.findIndex((id, at) => id !== outcome.result[at])
    if (flipped >= 0 && !this.#mayLose()) {
      this.#world.violate(
        `entry ${flipped} of ${session.id} was ${before[flipped]}, a later read shows ${outcome.result[flipped]}`,
      )
    }
    if (outcome.result.length > (this.#shown.get(session.id)?.length ?? 0)) this.#shown.set(session.id, outcome.result)
  }

  async #path(place: Place, name: string, session: Session<RoleMessage>): Promise<void> {
    const outcome = await this.#call(place, `${name} walks ${session.id}`, async () => {
      const path: Entry<RoleMessage>[] = []
      for await (const entry of session.path()) path.push(entry)
      return path
    })
    this.#expectKnown(outcome, `path of ${session.id}`)
    if (!('result' in outcome)) return
    for (const [i, { parentId }] of outcome.result.entries()) {
      if (parentId !== (outcome.result[i - 1]?.id ?? null)) this.#world.violate(`the path of ${session.id} is no chain`)
    }
  }

  #place(client: number): Place {
    const i = client % PROCESSES
    let place = this.#places[i]
    if (place?.process.isAlive !== true) {
      const process = this.#world.start()
      const random = this.#world.random.fork()
      place = { process, sessions: openSessions(process.adapter, { clock: this.#world.time, random }), open: new Map() }
      this.#places[i] = place
    }
    return place
  }

  async #open(place: Place, name: string, id: string): Promise<Session<RoleMessage> | undefined> {
    const known = place.open.get(id)
    if (known && !this.#world.random.chance(0.1)) return known
    const outcome = await this.#call(place, `${name} opens ${id}`, () => place.sessions.getOrCreate(id))
    this.#expectKnown(outcome, `open of ${id}`, 'NOT_FOUND')
    if (!('result' in outcome)) return undefined
    this.#created.add(id)
    place.open.set(id, outcome.result)
    return outcome.result
  }

  async #close(place: Place): Promise<void> {
    const i = this.#places.indexOf(place)
    if (i >= 0) this.#places[i] = undefined
    const outcome = await this.#call(place, `${place.process.name} closes`, () => place.sessions.close())
    this.#expectKnown(outcome, 'close')
    place.process.kill()
  }

  #call<Result>({ process }: Place, what: string, act: () => Promise<Result>): Promise<Outcome<Result>> {
    return this.#world.call(process, what, act)
  }

  #mayLose(): boolean {
    return this.#world.faults.has('failed flush')
  }

  #expectKnown(outcome: object, what: string, ...neverHere: string[]): void {
    if (!('error' in outcome)) return
    const { error } = outcome
    if (error instanceof Aborted) return
    if (SessionError.is(error, 'DELETED') && this.#deleted !== 'no') return
    if (SessionError.is(error, 'CORRUPT') && this.#hasGarbage) return
    const isNever = !SessionError.is(error) || NEVER.has(error.code) || neverHere.includes(error.code)
    const isDamage =
      this.#mayLose() && SessionError.is(error) && ['CORRUPT', 'INVALID_PARENT', 'NOT_FOUND'].includes(error.code)
    if (isNever && !isDamage) this.#world.violate(`${what} rejects with ${nameOf(error)}: ${String(error)}`)
  }
}
