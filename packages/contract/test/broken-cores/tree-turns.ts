import {
  SessionError,
  type AppendOptions,
  type BeginTurnOptions,
  type RoleMessage,
  type Session,
  type Turn,
} from '@sessiontree/core'
import { brokenCalls, brokenSession, replaced, type BrokenCore } from './broken-core.ts'

type One = Session<RoleMessage>
type Overrides = (turn: Turn<RoleMessage>, session: One) => Partial<Record<keyof Turn<RoleMessage>, unknown>>

/** Core with other methods for a turn. */
const brokenTurn = (killedBy: string, name: string, overrides: Overrides): BrokenCore =>
  brokenSession(killedBy, name, (session) => ({
    async beginTurn(options: BeginTurnOptions) {
      const turn = await session.beginTurn(options)
      return replaced(turn, overrides(turn, session))
    },
  }))

let held: string | undefined

/** Cores that break a line about turns. */
export const brokenTurnLines: readonly BrokenCore[] = [
  brokenSession('tree:26', 'whoever has the owner and the turn of the lease has the session', (session) => {
    let turn: Turn<RoleMessage> | undefined
    return {
      async beginTurn(options: BeginTurnOptions) {
        if (turn && options.turnId === turn.id && options.owner === turn.owner) return turn
        return (turn = await session.beginTurn(options))
      },
    }
  }),
  brokenSession('tree:26', 'a turn of one session keeps off all others', (session) => ({
    async beginTurn(options: BeginTurnOptions) {
      if (held !== undefined && held !== session.id) throw new SessionError('ACTIVE_TURN', 'Somebody has a turn.')
      held = session.id
      return session.beginTurn(options)
    },
  })),
  brokenSession('tree:26', 'a turn that does not get the session says so in the log', (session) => ({
    beginTurn: (options: BeginTurnOptions) =>
      session.beginTurn(options).catch(async (error: unknown) => {
        await session.record({ type: 'run_failure', error: 'busy' }, { force: true, onConflict: 'rebase' })
        throw error
      }),
  })),
  brokenCalls('tree:26', 'a lease is known to its own handle', (adapter) => ({
    async get(key, options) {
      const document = await adapter.get(key, options)
      if (!document?.value.includes('"lease"')) return document
      const { lease: _lease, ...rest } = JSON.parse(document.value) as Record<string, unknown>
      return { ...document, value: JSON.stringify(rest) }
    },
  })),
  brokenSession('tree:27', 'anybody releases a turn', (session) => ({
    async releaseTurn() {
      const { turnId = '', owner = '' } = { ...(await session.activeTurn()) }
      return session.releaseTurn({ turnId, owner })
    },
  })),
  brokenSession('tree:27', 'a release by somebody else works, and says that it did not', (session) => ({
    async releaseTurn(turn: { turnId: string; owner: string }) {
      const { turnId = '', owner = '' } = { ...(await session.activeTurn()) }
      return (await session.releaseTurn({ turnId, owner })) && turn.owner === owner && turn.turnId === turnId
    },
  })),
  brokenSession('tree:27', 'a lease as old as the cutoff is cleared', (session) => ({
    clearExpired: (cutoff: number) => session.clearExpired(new Date(cutoff).getTime() + 1),
  })),
  brokenSession('tree:27', 'a cutoff of zero is none', (session) => ({
    clearExpired: (cutoff: number) => session.clearExpired(new Date(cutoff).getTime() || 8.64e15),
  })),
  brokenSession('tree:28', 'what is half a lease locks the session', (session) => ({
    async activeTurn() {
      const info = await session.activeTurn()
      if (info?.acquiredAt === '') throw new SessionError('CORRUPT', 'Half a lease.')
      return info
    },
  })),
  brokenSession('tree:28', 'half a lease is no lease', (session) => ({
    async activeTurn() {
      const info = await session.activeTurn()
      return info?.acquiredAt === '' ? undefined : info
    },
  })),
  brokenSession('tree:28/takeover', 'an expired lease is taken by whoever asks', (session) => ({
    beginTurn: (options: BeginTurnOptions) => session.beginTurn({ ...options, force: true }),
  })),
  brokenTurn('tree:28/takeover', 'a turn that is lost is accepted after a fresh look', (turn, session) => ({
    append: (message: RoleMessage, options: AppendOptions) =>
      turn.append(message, { id: options.id }).catch(async (error: unknown) => {
        if (!SessionError.is(error, 'LEASE_LOST')) throw error
        await session.refresh()
        return session.append(message, { ...options, force: true })
      }),
  })),
  brokenTurn('tree:28/takeover', 'a turn that is lost ends all the same', (turn, session) => ({
    complete: () =>
      turn.complete().catch(() => session.record({ type: 'turn_marker', status: 'completed' }, { force: true })),
  })),
  brokenSession('tree:34', 'recover takes a turn that lives', (session) => ({
    async recover() {
      const { turnId = '', owner = '' } = { ...(await session.activeTurn()) }
      await session.releaseTurn({ turnId, owner })
      return session.recover()
    },
  })),
  brokenSession('tree:34', 'calls without a result are called failed', (session) => ({
    async recover() {
      const { recovered } = await session.recover()
      return { recovered: recovered.map((turn) => ({ ...turn, unknownCalls: [] })) }
    },
  })),
  brokenSession('tree:34', 'a turn is closed each time that somebody recovers', (session) => ({
    async recover() {
      const recovery = await session.recover()
      const turnId = recovery.recovered[0]?.turnId
      if (turnId !== undefined) await session.record({ type: 'turn_marker', status: 'aborted' }, { force: true })
      return { recovered: recovery.recovered }
    },
  })),
  brokenSession('tree:35', 'malformed arguments are shown as they are', (session) => ({
    async status() {
      const status = await session.status()
      if (status.prompt !== '') return status
      const { messages } = await session.context()
      return { ...status, prompt: String(messages.at(-1)?.['content']) }
    },
  })),
  brokenSession('tree:35', 'a message may follow a turn that failed', (session) => ({
    async status() {
      const status = await session.status()
      return status.status === 'failed' ? { ...status, canAppend: true } : status
    },
  })),
  brokenSession('tree:35', 'whoever has not ended is running', (session) => ({
    async status() {
      const status = await session.status()
      return status.status === 'interrupted' ? { ...status, status: 'running', recoverable: false } : status
    },
  })),
  brokenTurn('tree:35', 'the marker is lost when a turn is called off', (turn) => ({ abort: () => turn.complete() })),
  brokenSession('tree:36', 'a retry starts at the last user message, whatever was saved', (session) => ({
    async retryTarget() {
      const target = await session.retryTarget()
      const entries = await session.path().toArray({ limit: 1000 })
      const user = entries.findLast(({ type }) => type === 'user_message')
      return { ...target, id: user?.id, position: user?.position, source: 'user' }
    },
  })),
  brokenSession('tree:36', 'a retry starts at the save point itself, with what came after', (session) => ({
    async retryTarget() {
      const target = await session.retryTarget()
      const leaf = await session.leaf()
      return { ...target, id: leaf?.id, position: leaf?.position }
    },
  })),
  brokenTurn('tree:36', 'a retry repeats what the user said', (turn, session) => ({
    async context() {
      const context = await turn.context()
      const said = (await session.path().toArray({ limit: 1000 })).find(({ type }) => type === 'user_message')
      const { message } = said as unknown as { message: RoleMessage }
      return { ...context, messages: [...context.messages, message] }
    },
  })),
]
