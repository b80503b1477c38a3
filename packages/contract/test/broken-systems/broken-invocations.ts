import { SessionError, type StorageAdapter } from '@sessiontree/core'
import * as real from '@sessiontree/invocations'
import type { InvocationLog, NewInvocation } from '@sessiontree/invocations'
import { delegate } from '../../src/delegate.ts'
import type { InvocationsApi } from '../../src/invocations-case.ts'

/** Invocation logs with one fault, and the case that must notice. */
export interface BrokenInvocations {
  readonly killedBy: string
  readonly name: string
  readonly api: InvocationsApi
}

const METHODS = [
  'append',
  'read',
  'readAll',
  'sessions',
  'query',
  'passRate',
  'importJsonl',
  'exportJsonl',
  'delete',
  'close',
] as const

const broken = (killedBy: string, name: string, change: Partial<InvocationsApi>): BrokenInvocations => ({
  killedBy,
  name,
  api: { ...real, ...change },
})

/** Makes every handle behave differently. */
function handle(killedBy: string, name: string, change: (log: InvocationLog) => object): BrokenInvocations {
  const openInvocations = (...args: Parameters<typeof real.openInvocations>) => {
    const log = real.openInvocations(...args)
    const bound = Object.fromEntries(METHODS.map((method) => [method, (log[method] as () => unknown).bind(log)]))
    return Object.assign(Object.create(log) as object, bound, change(log)) as unknown as InvocationLog
  }
  return broken(killedBy, name, { openInvocations })
}

/** Makes the adapter below every handle behave differently. */
const below = (killedBy: string, name: string, change: (adapter: StorageAdapter) => Partial<StorageAdapter>) =>
  broken(killedBy, name, {
    openInvocations: (adapter, options) => real.openInvocations(delegate(adapter, change(adapter)), options),
  })

/** Invocation logs with one fault each. */
export const brokenInvocations: readonly BrokenInvocations[] = [
  handle('invocations:1', 'legacy words are rewritten', (log) => ({
    append: (id: string, one: NewInvocation) =>
      log.append(id, { ...one, final_status: real.statusOf(one.final_status) ?? one.final_status }),
  })),
  handle('invocations:2', 'reading creates', (log) => ({
    readAll: async (id: string) => {
      await log.append(id, { skill: 'x' })
      return { invocations: [], damage: [] }
    },
  })),
  handle('invocations:3', 'session ids are cut at a slash', (log) => ({
    append: (id: string, one: NewInvocation) => log.append(id.split('/')[0]!, one),
  })),
  handle('invocations:4', 'empty fields are stored', (log) => ({
    append: (id: string, one: NewInvocation) =>
      log.append(id, { ...one, phase: one['phase'] === '' ? ' ' : one['phase'] }),
  })),
  handle('invocations:5', 'another session is overwritten silently', (log) => ({
    append: (id: string, one: NewInvocation) => log.append(id, { ...one, session_id: id }),
  })),
  handle('invocations:6', 'what is longer than 64 KiB is cut', (log) => ({
    append: (id: string, one: NewInvocation) =>
      log.append(
        id,
        JSON.parse(JSON.stringify(one), (_key, value: unknown) =>
          typeof value === 'string' ? value.slice(0, 65_000) : value,
        ) as NewInvocation,
      ),
  })),
  handle('invocations:7', 'damage loses what is before it', (log) => ({
    importJsonl: async (source: real.TextSource) => {
      for await (const parsed of real.parseJsonl(source))
        if ('damage' in parsed) return { imported: 0, damage: [parsed.damage] }
      return log.importJsonl(source)
    },
  })),
  handle('invocations:8', 'damage is gone over silently', (log) => ({
    readAll: async (id: string) => ({ ...(await log.readAll(id)), damage: [] }),
  })),
  broken('invocations:9', 'a line is what a piece of the file holds', {
    async *parseJsonl(source) {
      for await (const piece of typeof source === 'string' ? [source] : source) yield* real.parseJsonl(piece)
    },
  }),
  handle('invocations:10', 'the log is created before the record is written as JSON', (log) => ({
    append: async (id: string, one: NewInvocation) => {
      if (one['input'] !== undefined) await log.append(id, { skill: 'x' })
      return log.append(id, one)
    },
  })),
  handle('invocations:11', 'appends at once go in any order', (log) => ({
    append: async (id: string, one: NewInvocation) => {
      if (Number.parseInt(String(one['message'])) % 2) for (let i = 0; i < 200; i++) await Promise.resolve()
      return log.append(id, one)
    },
  })),
  handle('invocations:12', 'a failure is swallowed', (log) => ({
    append: (id: string, one: NewInvocation) =>
      log.append(id, one).catch((error: unknown) => {
        if (SessionError.is(error, 'QUOTA')) return one
        throw error
      }),
  })),
  handle('invocations:13', 'ids are folded to lower case', (log) => ({
    append: (id: string, one: NewInvocation) => log.append(id.toLowerCase(), { ...one, session_id: id.toLowerCase() }),
  })),
  handle('invocations:14', 'only known fields are kept', (log) => ({
    append: (id: string, { shape: _shape, ...one }: NewInvocation) => log.append(id, one),
  })),
  handle('invocations:15', 'attempts are sorted by number', (log) => ({
    append: (id: string, one: NewInvocation) =>
      log.append(id, { ...one, attempts: one.attempts?.toSorted((a, b) => Number(a.attempt) - Number(b.attempt)) }),
  })),
  below('invocations:16', 'the document does not say what the log may hold', (adapter) => ({
    async get(key, options) {
      const found = await adapter.get(key, options)
      return found && { ...found, value: found.value.replace(/,"about":\{.*?\}/, '') }
    },
  })),
  handle('invocations:17', 'skips count as failures', (log) => ({
    passRate: async (options: object) => {
      const rate = await log.passRate(options)
      const all = rate.pass + rate.fail + rate.skip
      return { ...rate, pass_rate: all === 0 ? null : rate.pass / all }
    },
  })),
  broken('invocations:18', 'the history of nothing has a heading', {
    formatHistory: (invocations, options) => real.formatHistory(invocations, options) || 'Earlier in this session:\n',
  }),
  handle('invocations:19', 'the log is read whole before the first record comes', (log) => ({
    async *read(id: string) {
      yield* await Array.fromAsync(log.read(id))
    },
  })),
  handle('invocations:20', 'the last line has no line feed', (log) => ({
    async *exportJsonl(id: string) {
      yield (await Array.fromAsync(log.exportJsonl(id))).join('').trimEnd()
    },
  })),
]
