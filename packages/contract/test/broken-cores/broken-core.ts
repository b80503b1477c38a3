import { openSessions, type RoleMessage, type Session, type Sessions, type StorageAdapter } from '@sessiontree/core'
import { delegate } from '../../src/delegate.ts'
import type { OpenSessions } from '../../src/session-case.ts'

/** A core with one fault, and the case that must notice it. */
export interface BrokenCore {
  readonly killedBy: string
  readonly name: string
  readonly open: OpenSessions
}

type Handle = Sessions<RoleMessage>
type One = Session<RoleMessage>
type Overrides<Target> = (target: Target) => Partial<Record<keyof Target, unknown>>

/** Core with other methods for a session. */
export function brokenSession(killedBy: string, name: string, overrides: Overrides<One>): BrokenCore {
  const broken = (session: One) => replaced(session, overrides(session))
  return brokenSessions(killedBy, name, (sessions) => ({
    create: async (...args: Parameters<Handle['create']>) => broken(await sessions.create(...args)),
    getOrCreate: async (...args: Parameters<Handle['getOrCreate']>) => broken(await sessions.getOrCreate(...args)),
    open: async (...args: Parameters<Handle['open']>) => broken(await sessions.open(...args)),
  }))
}

/** Core with other methods for a handle. */
export function brokenSessions(killedBy: string, name: string, overrides: Overrides<Handle>): BrokenCore {
  return {
    killedBy,
    name,
    open(adapter, options) {
      const sessions = openSessions(adapter, options)
      return replaced(sessions, overrides(sessions))
    },
  }
}

/** Core that asks the adapter for something else than it should. */
export function brokenCalls(
  killedBy: string,
  name: string,
  overrides: (adapter: StorageAdapter) => Partial<StorageAdapter>,
): BrokenCore {
  return { killedBy, name, open: (adapter, options) => openSessions(delegate(adapter, overrides(adapter)), options) }
}

/** An object with other methods. */
export function replaced<Target extends object>(
  target: Target,
  overrides: Partial<Record<keyof Target, unknown>>,
): Target {
  return new Proxy(target, {
    get(_target, key) {
      if (Object.hasOwn(overrides, key)) return overrides[key as keyof Target]
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
