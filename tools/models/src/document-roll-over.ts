import { current, DOCUMENT, move, nextOf, type Folder, type Line } from './document-folder.ts'
import { documentInvariants } from './document-invariants.ts'
import { changed, type Model, type Step } from './explore.ts'

/** How the roll-over of a document is done: by the rule that was taken, or with one mistake. */
export type RollOver =
  /** Write the value aside, seal the file at its index, rename; sweep only what can no longer be sealed in. */
  | 'seal and rename'
  /** A file without a name was removed, whatever stands in it. */
  | 'believe the link count'
  /** Sweep the files that a sweep before has seen. */
  | 'sweep by age'
  /** Rename first, then seal. */
  | 'rename before sealing'

/** The size of the instance. */
export interface RollOverOptions {
  readonly rule: RollOver
  /** How many puts each writer makes; each appends to the file or rolls it over. */
  readonly puts: readonly number[]
  readonly gets: number
  readonly sweeps: number
  /** How many writers may crash, at any step. */
  readonly crashes: number
}

/** Somebody at work on the document; each phase ends with one call to the file system. */
interface Actor {
  phase: 'idle' | 'open' | 'rename' | 'write' | 'aside' | 'seal' | 'check' | 'publish' | 'tidy' | 'unlink' | 'dead'
  left: number
  /** The open file: a number, whatever name it has by now. */
  file: number
  /** How many lines it had when it was looked at, and the version found there. */
  lines: number
  /** The version that the put expects: the one that its caller knew; -1 before it looked. */
  expect: number
  /** The name of the file that it wrote aside. */
  name: string
  /** The name in the seal that it met. */
  met: string
  isRoll: boolean
}

interface State extends Folder {
  writers: Actor[]
  /** `back`: an older version than `seen`, read after it. */
  reader: Actor & { seen: number; back: number | null }
  sweeper: Actor & { listed: string[]; before: string[] }
  /** Told the caller: this value is version `at`. */
  acknowledged: Record<string, number>
  /** Told the caller: another version was current, nothing was written. */
  refused: string[]
  crashes: number
}

const ACTOR = { phase: 'idle', left: 0, file: -1, lines: 0, expect: -1, name: '', met: '', isRoll: false } as const

/** Writers, a reader and a sweeper on one document of a folder, each stopped for as long as it takes between any two calls. */
export function documentRollOver({ rule, puts, gets, sweeps, crashes }: RollOverOptions): Model<State> {
  return {
    initial: {
      files: [[{ at: 0, value: 'first' }]],
      names: { [DOCUMENT]: 0 },
      writers: puts.map((left) => ({ ...ACTOR, left })),
      reader: { ...ACTOR, left: gets, seen: 0, back: null },
      sweeper: { ...ACTOR, left: sweeps, listed: [], before: [] },
      acknowledged: { first: 0 },
      refused: [],
      crashes,
    },
    *steps(state) {
      for (const by of state.writers.keys()) yield* writerSteps(state, by)
      yield* readerSteps(state)
      yield* sweeperSteps(state)
    },
    invariants: {
      'a document is never absent': (state) => (current(state) ? undefined : `${describe(state)} leads nowhere`),
      ...documentInvariants<State>(current),
      'what was refused is never current': (state) =>
        state.refused.includes(current(state)?.value ?? '')
          ? `${current(state)?.value} was refused, and is current`
          : undefined,
      'no reader goes back': ({ reader: { seen, back } }) =>
        back === null ? undefined : `version ${back} was read after version ${seen}`,
    },
  }

  function* writerSteps(state: State, by: number): Generator<Step<State>> {
    const writer = state.writers[by] as Actor
    const value = `${by}.${writer.left}`
    const act = (name: string, change: (writer: Writer, state: State) => void): Step<State> => ({
      name: `W${by} ${name}`,
      state: changed(state, (next) => {
        change(next.writers[by] as Actor, next)
        release(next)
      }),
    })
    type Writer = Actor
    const file = state.files[writer.file] ?? []
    switch (writer.phase) {
      case 'idle':
        if (writer.left > 0) yield act('opens the document', (next, all) => open(next, all))
        break
      case 'open':
        yield* look(file, writer, act)
        break
      case 'rename':
        yield act(`renames ${writer.met}`, (next, all) => rename(next, all))
        break
      case 'aside': {
        const name = `${DOCUMENT}+${writer.expect + 1}+${value}`
        yield act(`writes ${name}`, (next, all) => {
          all.names[name] = all.files.push([{ at: next.expect + 1, value }]) - 1
          next.name = name
          next.phase = rule === 'rename before sealing' ? 'publish' : 'seal'
        })
        break
      }
      case 'write':
      case 'seal': {
        const line: Line = { at: writer.expect + 1, ...(writer.isRoll ? { next: writer.name } : { value }) }
        if (file.length === writer.lines)
          yield act(writer.isRoll ? `seals with ${writer.name}` : `writes ${value}`, (next, all) => {
            all.files[next.file]?.push(line)
            next.phase = 'check'
          })
        else yield act('writes void bytes, opens again', (next, all) => open(next, all))
        break
      }
      case 'check':
        yield act('looks where its write landed', (next, all) => check(next, all, value))
        break
      case 'publish':
        yield act(`renames its ${writer.name}`, (next, all) => {
          move(all, next.name)
          if (rule === 'rename before sealing') next.phase = 'seal'
          else finish(next)
        })
        break
      case 'tidy':
        yield act(`unlinks its ${writer.name}`, (next, all) => {
          delete all.names[next.name]
          finish(next)
        })
        break
      case 'unlink':
      case 'dead':
        break
    }
    const isAtWork = writer.phase !== 'idle' && writer.phase !== 'dead'
    if (state.crashes > 0 && isAtWork)
      yield act('is killed', (next, all) => {
        all.crashes--
        Object.assign(next, ACTOR, { phase: 'dead' })
      })
  }

  function* look(
    file: readonly Line[],
    writer: Actor,
    act: (name: string, change: (writer: Actor, state: State) => void) => Step<State>,
  ): Generator<Step<State>> {
    const last = file.at(-1)
    if (last?.next !== undefined) {
      yield act(`meets the seal ${last.next}`, (next) => {
        next.met = last.next as string
        next.phase = 'rename'
      })
      return
    }
    const version = last?.at ?? -1
    if (writer.expect >= 0 && version !== writer.expect) {
      yield act(`finds version ${version} and is refused`, (next, all) => refuse(next, all))
      return
    }
    const decide = (next: Actor) => Object.assign(next, { lines: file.length, expect: version })
    if (writer.expect < 0 || !writer.isRoll)
      yield act(`finds version ${version}, will append`, (next) => {
        decide(next)
        next.isRoll = false
        next.phase = 'write'
      })
    if (writer.expect < 0)
      yield act(`finds version ${version}, will roll over`, (next) => {
        decide(next)
        next.isRoll = true
        next.phase = 'aside'
      })
    else if (writer.isRoll)
      yield act(`finds version ${version} again`, (next) => {
        decide(next)
        next.phase = 'seal'
      })
  }

  function check(writer: Actor, state: State, value: string): void {
    const isUnlinked = !Object.values(state.names).includes(writer.file)
    const isSealed = state.files[writer.file]?.at(-1)?.next !== undefined
    if (isUnlinked && (!isSealed || rule === 'believe the link count')) return refuse(writer, state)
    state.acknowledged[value] = writer.expect + 1
    if (writer.isRoll && rule !== 'rename before sealing') writer.phase = 'publish'
    else finish(writer)
  }

  function refuse(writer: Actor, state: State): void {
    state.refused = [...state.refused, `${state.writers.indexOf(writer)}.${writer.left}`].toSorted()
    if (writer.isRoll && writer.name !== '') writer.phase = 'tidy'
    else finish(writer)
  }

  function* readerSteps(state: State): Generator<Step<State>> {
    const { reader } = state
    const act = (name: string, change: (reader: State['reader'], state: State) => void): Step<State> => ({
      name: `R ${name}`,
      state: changed(state, (next) => {
        change(next.reader, next)
        release(next)
      }),
    })
    if (reader.phase === 'idle' && reader.left > 0) yield act('opens the document', (next, all) => open(next, all))
    if (reader.phase === 'rename') yield act(`renames ${reader.met}`, (next, all) => rename(next, all))
    if (reader.phase !== 'open') return
    const last = state.files[reader.file]?.at(-1)
    if (last?.next === undefined)
      yield act(`reads version ${last?.at}`, (next) => {
        const version = last?.at ?? -1
        if (version < next.seen) next.back = version
        else next.seen = version
        finish(next)
      })
    else
      yield act(`meets the seal ${last.next}`, (next) => {
        next.met = last.next as string
        next.phase = 'rename'
      })
  }

  function* sweeperSteps(state: State): Generator<Step<State>> {
    const { sweeper } = state
    const act = (name: string, change: (sweeper: State['sweeper'], state: State) => void): Step<State> => ({
      name: `S ${name}`,
      state: changed(state, (next) => {
        change(next.sweeper, next)
        release(next)
      }),
    })
    if (sweeper.phase === 'idle' && sweeper.left > 0) {
      const listed = Object.keys(state.names).filter((name) => name !== DOCUMENT)
      if (listed.length > 0)
        yield act(`lists ${listed.join(', ')}`, (next) => {
          next.listed = listed
          next.phase = 'unlink'
        })
    }
    if (sweeper.phase !== 'unlink') return
    const version = current(state)?.at ?? -1
    const isOld = (name: string) =>
      rule === 'sweep by age' ? sweeper.before.includes(name) : Number(name.split('+')[1]) < version
    const old = sweeper.listed.filter(isOld)
    yield act(`unlinks ${old.join(', ') || 'nothing'} at version ${version}`, (next, all) => {
      // To know the version it follows the seals, as everybody does.
      while (nextOf(all) !== undefined) move(all, nextOf(all) as string)
      for (const name of old) delete all.names[name]
      Object.assign(next, { phase: 'idle', left: next.left - 1, listed: [], before: next.listed })
    })
  }
}

function open(actor: Actor, state: State): void {
  actor.file = state.names[DOCUMENT] ?? -1
  actor.phase = 'open'
}

function rename(actor: Actor, state: State): void {
  move(state, actor.met)
  actor.met = ''
  open(actor, state)
}

function finish(actor: Actor): void {
  Object.assign(actor, ACTOR, { left: actor.left - 1 })
}

const describe = ({ names }: State) => `${DOCUMENT} (${Object.keys(names).join(', ')})`

/** Files without name that nobody has open are gone, and file numbers mean nothing: they follow the names and the actors. */
function release(state: State): void {
  const actors: Actor[] = [...state.writers, state.reader, state.sweeper]
  state.names = Object.fromEntries(Object.entries(state.names).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const used = [...new Set([...Object.values(state.names), ...actors.map(({ file }) => file)])].filter(
    (file) => file >= 0,
  )
  state.files = used.map((file) => state.files[file] ?? null)
  for (const name of Object.keys(state.names)) state.names[name] = used.indexOf(state.names[name] as number)
  for (const actor of actors) actor.file = used.indexOf(actor.file)
  state.acknowledged = Object.fromEntries(Object.entries(state.acknowledged).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
