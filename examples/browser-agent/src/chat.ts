import { batch, signal, type Signal } from '@preact/signals'
import {
  SessionError,
  type Entry,
  type Lifecycle,
  type RoleMessage,
  type Session,
  type SessionInfo,
  type Sessions,
  type SessionTree,
  type TurnInfo,
} from '@sessiontree/core'
import { runTurn, type TurnRequest } from './agent/run-turn.ts'
import { unfinishedAnswer } from './agent/unfinished.ts'
import { exportJsonl, importJsonl } from './jsonl.ts'
import { noticeOf, type Notice } from './notice.ts'
import { chosenModel, keepSettings, readSettings, type Settings } from './settings.ts'
import { openStore, type Store, type StorageUse } from './store.ts'

/** The session that is shown, as it was when it was last looked at. */
export interface View {
  readonly path: readonly Entry<RoleMessage>[]
  readonly tree: SessionTree
  readonly status: Lifecycle
  /** The turn that is under way, here or in another tab. */
  readonly turn: TurnInfo | undefined
}

const SHOWN_ENTRIES = 1000
const LISTED_SESSIONS = 50

/** What the page shows, and what can be done with it. Everything durable is in the store; a reload loses nothing. */
export class Chat {
  readonly sessions: Signal<readonly SessionInfo[]> = signal([])
  readonly session: Signal<Session<RoleMessage> | undefined> = signal(undefined)
  readonly view: Signal<View | undefined> = signal(undefined)
  /** What this tab's turn has said of its answer so far; undefined while none is under way. */
  readonly answer: Signal<string | undefined> = signal(undefined)
  readonly notice: Signal<Notice | undefined> = signal(undefined)
  readonly use: Signal<StorageUse | undefined> = signal(undefined)
  readonly settings: Signal<Settings> = signal(readSettings())
  readonly panel: Signal<'none' | 'tree' | 'settings'> = signal('none')
  #store: Store | undefined
  #stop: AbortController | undefined
  #unsubscribe = () => {}
  #opening: Promise<void> = Promise.resolve()

  /** Opens the store, and the session that the address names. */
  async start(): Promise<void> {
    await this.#try(async () => {
      this.#store = openStore()
      await this.#list()
      await this.#openNamed()
    })
    addEventListener('hashchange', () => void this.#try(() => this.#openNamed()))
    // Another tab may have made, named or deleted sessions.
    addEventListener('focus', () => void this.#try(() => this.#list()))
  }

  async create(): Promise<void> {
    await this.#try(async () => this.#go(await this.#sessions.create()))
  }

  /** Asks the model, with or without new words of the user; resolves with whether these are in the session. */
  async ask(question?: string, from?: TurnRequest['from']): Promise<boolean> {
    let isAsked = false
    this.notice.value = undefined
    await this.#try(async () => {
      const session = this.session.value ?? (await this.#sessions.create())
      if (!this.session.value) await this.#go(session)
      this.#stop = new AbortController()
      this.answer.value = ''
      try {
        await runTurn(session, {
          model: chosenModel(this.settings.value),
          onAsked: () => void (isAsked = true),
          onText: (text) => void (this.answer.value = text),
          signal: this.#stop.signal,
          ...(question === undefined ? {} : { question }),
          ...(from === undefined ? {} : { from }),
        })
      } catch (error) {
        if (!this.#stop.signal.aborted) throw error
      } finally {
        await this.#show()
        this.answer.value = undefined
      }
      await session.generateTitle(firstWords)
      await this.#list()
    })
    return isAsked
  }

  stop(): void {
    this.#stop?.abort(new DOMException('Stopped by the user', 'AbortError'))
  }

  /** Asks again in other words: a branch beside the first ones. */
  edit(entry: Entry<RoleMessage>, question: string): Promise<boolean> {
    return this.ask(question, entry.parentId)
  }

  /** Tries the last turn again, from where it failed or was interrupted. */
  async retry(): Promise<void> {
    const target = await this.#try(async () => this.session.value?.retryTarget())
    if (target) await this.ask(undefined, target.entryId)
  }

  /** Keeps what an interrupted turn had said as the answer. */
  async keepUnfinished(): Promise<void> {
    await this.#try(async () => {
      const content = unfinishedAnswer(this.view.value?.path ?? [])
      if (content !== undefined) await this.session.value?.append({ role: 'assistant', content })
      await this.#show()
    })
  }

  async moveTo(entry: string): Promise<void> {
    await this.#try(async () => {
      await this.session.value?.moveTo(entry)
      await this.#show()
    })
  }

  /** A session of its own with everything up to an entry. */
  async fork(at: Entry<RoleMessage>): Promise<void> {
    await this.#try(async () => {
      const session = this.session.value
      if (session)
        await this.#go(await session.fork({ at, title: `${session.title ?? 'Session'} (fork)`.slice(0, 1024) }))
    })
  }

  async rename(title: string): Promise<void> {
    await this.#try(async () => {
      await this.session.value?.update({ title: title.trim().slice(0, 1024) || null })
      await this.#list()
    })
  }

  async delete(): Promise<void> {
    await this.#try(async () => {
      const { value: session } = this.session
      if (!session) return
      await this.#sessions.delete(session.id)
      location.hash = ''
      await this.#list()
    })
  }

  /** Resolves with the session as a file. */
  async export(): Promise<File | undefined> {
    return this.#try(async () => {
      const { value: session } = this.session
      if (!session) return undefined
      return new File([await exportJsonl(session)], `session-${session.id}.jsonl`, { type: 'application/jsonl' })
    })
  }

  async import(file: File): Promise<void> {
    await this.#try(async () => this.#go(await importJsonl(this.#sessions, await file.text())))
  }

  /** Asks the browser not to evict what is stored. */
  async persist(): Promise<void> {
    await this.#try(async () => {
      if (!(await this.#store?.persist())) {
        this.notice.value = {
          kind: 'info',
          text: 'The browser did not agree. It often does once the page is a bookmark or installed.',
        }
      }
      this.use.value = await this.#store?.use()
    })
  }

  set(settings: Settings): void {
    keepSettings(settings)
    this.settings.value = settings
    this.panel.value = 'none'
  }

  get #sessions(): Sessions<RoleMessage> {
    if (!this.#store) throw new Error('The store is not open.')
    return this.#store.sessions
  }

  async #go(session: Session<RoleMessage>): Promise<void> {
    location.hash = encodeURIComponent(session.id)
    await this.#openNamed()
    await this.#list()
  }

  /** Opens the session that the address names, if it is not open. One at a time: the address may change again meanwhile. */
  #openNamed(): Promise<void> {
    const opened = this.#opening.then(() => this.#follow(namedSession()))
    this.#opening = opened.catch(() => {})
    return opened
  }

  /** Opens a session; closes what a crash left open in it. */
  async #follow(id: string): Promise<void> {
    if (id === (this.session.value?.id ?? '')) return
    this.stop()
    this.#unsubscribe()
    batch(() => {
      this.session.value = undefined
      this.view.value = undefined
      this.notice.value = undefined
    })
    if (id === '') return
    const session = await this.#sessions.open(id)
    this.session.value = session
    await this.#recover(session)
    await this.#show()
    this.#unsubscribe = session.subscribe(() => void this.#try(() => this.#show()))
  }

  async #recover(session: Session<RoleMessage>): Promise<void> {
    try {
      const { recovered } = await session.recover()
      if (recovered.length > 0) await this.#list()
      const calls = recovered.flatMap(({ unknownCalls }) => unknownCalls)
      if (recovered.length === 0) return
      const names = calls.map(({ name }) => name).join(', ')
      this.notice.value = {
        kind: 'info',
        text: `The last answer was interrupted; all that was said is here.${calls.length === 0 ? '' : ` Nobody knows whether this ran: ${names}.`}`,
      }
    } catch (error) {
      // Another tab is answering: it shows as it comes.
      if (!SessionError.is(error, 'ACTIVE_TURN')) throw error
    }
  }

  async #show(): Promise<void> {
    const { value: session } = this.session
    if (!session) return
    const [path, tree, status, turn] = await Promise.all([
      session.path({ last: SHOWN_ENTRIES }).toArray(),
      session.tree(),
      session.status(),
      session.activeTurn(),
    ])
    if (this.session.value === session) this.view.value = { path, tree, status, turn }
  }

  async #list(): Promise<void> {
    this.sessions.value = await Array.fromAsync(this.#sessions.list({ limit: LISTED_SESSIONS }))
    this.use.value = await this.#store?.use()
  }

  async #try<Result>(action: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await action()
    } catch (error) {
      this.notice.value = noticeOf(error)
      // What is shown may be old by now.
      await this.#show().catch(() => {})
      return undefined
    }
  }
}

/** The id in the address, empty if there is none; one that nobody can read names no session. */
function namedSession(): string {
  const named = location.hash.slice(1)
  try {
    return decodeURIComponent(named)
  } catch {
    return named
  }
}

function firstWords(messages: readonly RoleMessage[]): string {
  const content = messages.find(({ role }) => role === 'user')?.['content']
  return typeof content === 'string' ? content : ''
}
