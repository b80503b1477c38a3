import { buildContext, roleContent, type Context, type ContextOptions, type RoleMessage } from '@sessiontree/core'
import { collect } from '../../src/reading.ts'
import { brokenCalls, brokenSession, type BrokenCore } from './broken-core.ts'

type Shown = Context<RoleMessage>

/** Core whose contexts are changed on their way out. */
const changed = (killedBy: string, name: string, change: (context: Shown, options?: ContextOptions) => object) =>
  brokenSession(killedBy, name, (session) => ({
    async context(options?: ContextOptions) {
      const context = await session.context(options)
      return { ...context, ...change(context, options) }
    },
  }))

const without = ({ messages, entries, segments }: Shown, isLeftOut: (at: number) => boolean) => ({
  messages: messages.filter((_, at) => !isLeftOut(at)),
  entries: entries.filter((_, at) => !isLeftOut(at)),
  segments: segments.filter((_, at) => !isLeftOut(at)),
})

/** Core whose entries say something else of the newest compaction before them. */
const hinting = (name: string, hint: (hints: object) => object | undefined) =>
  brokenCalls('session/budgeted-context', name, (adapter) => ({
    append: (log, at, records, options) =>
      adapter.append(
        log,
        at,
        records.map((text) => {
          const record = JSON.parse(text) as { hints?: object }
          return record.hints ? JSON.stringify({ ...record, hints: hint(record.hints) }) : text
        }),
        options,
      ),
  }))

/** Cores that break a line about what the model is shown. */
export const brokenContextLines: readonly BrokenCore[] = [
  hinting('no entry says where the newest compaction lies', () => undefined),
  hinting('each entry says that there is no compaction', (hints) => ({ ...hints, compaction: null })),
  brokenSession('tree:20', 'failures are shown', (session) => ({
    async context() {
      const context = await session.context()
      const failures = (await collect(session.path())).filter(({ type }) => type === 'run_failure')
      const shown = failures.map(() => ({ role: 'assistant', content: 'It failed.' }))
      return { ...context, messages: [...context.messages, ...shown] }
    },
  })),
  changed('tree:20', 'branch summaries are not shown', (context) =>
    without(context, (at) => context.segments[at]?.kind === 'branch_summary'),
  ),
  changed('tree:20', 'segments do not say what comes before', ({ segments }) => ({
    segments: segments.map((segment) => ({ ...segment, parentId: null })),
  })),
  changed('tree:21', 'control calls are shown as calls', ({ messages, segments, entries }) => ({
    messages: messages.map((message, at) =>
      segments[at]?.kind === 'control_signal' ? (entries[at] as unknown as { message: RoleMessage }).message : message,
    ),
  })),
  changed('tree:21', 'control calls are not shown', (context) =>
    without(context, (at) => context.segments[at]?.kind === 'control_signal'),
  ),
  changed('tree:22', 'the checkpoint is shown twice', ({ messages, segments }) => ({
    messages: [...messages.slice(0, 1), ...messages],
    segments: [...segments.slice(0, 1), ...segments],
  })),
  brokenSession('tree:22', 'earlier compactions count too', (session) => ({
    async context() {
      const context = await session.context()
      const summaries = (await collect(session.path())).flatMap((entry) =>
        entry.type === 'compaction' && 'summary' in entry ? [String(entry.summary)] : [],
      )
      const [first, ...rest] = context.messages
      return {
        ...context,
        messages: [{ ...first, content: `${String(first?.['content'])}${summaries.join()}` }, ...rest],
      }
    },
  })),
  changed('tree:22', 'kept users are embedded although the tail has them', ({ messages: [first, ...rest] }) => ({
    messages: [{ ...first, content: `${String(first?.['content'])}<u5>` }, ...rest],
  })),
  changed('tree:22', 'the checkpoint comes last', ({ messages, segments }) => ({
    messages: [...messages.slice(1), ...messages.slice(0, 1)],
    segments: [...segments.slice(1), ...segments.slice(0, 1)],
  })),
  changed('tree:23', 'a tail begins with a result whose call is gone', (context) =>
    without(
      context,
      (at) => context.segments[at]?.entryType === 'tool_call' && context.segments[at - 1]?.entryType === 'compaction',
    ),
  ),
  brokenSession('tree:23', 'a tail is inferred beside kept users', (session) => ({
    async context() {
      const path = (await collect(session.path())).map((entry) =>
        entry.type === 'compaction' ? { ...entry, keptUsers: undefined } : entry,
      )
      return buildContext(path as Parameters<typeof buildContext<RoleMessage>>[0], roleContent())
    },
  })),
  changed('tree:25', 'a preview is cut by UTF-16 units', ({ messages, segments }) => ({
    segments: segments.map((segment, at) => {
      if (segment.preview === undefined) return segment
      return { ...segment, preview: `${String(messages[at]?.['content']).slice(0, 240)}…` }
    }),
  })),
  changed('tree:25', 'a user interface gets other messages', ({ messages }, options) => ({
    messages: options?.purpose === 'ui' ? messages.slice(0, -1) : messages,
  })),
  brokenSession('tree:38', 'a context is made from the whole path', (session) => ({
    context: async () => buildContext(await collect(session.path()), roleContent()),
  })),
]
