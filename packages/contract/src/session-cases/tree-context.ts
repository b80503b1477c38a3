import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import type { SessionCase } from '../session-case.ts'
import { assistant, calls, idsOf, result, say, user, type Conversation } from './conversation.ts'

const textsIn = (context: { readonly messages: readonly { readonly [field: string]: unknown }[] }) =>
  context.messages.map(({ content }) => content)

/** Lines 20, 21 and 25 of the session tree: what the model is shown. */
export const contextLines: readonly SessionCase[] = [
  {
    id: 'tree:20',
    group: 'tree',
    title:
      'the context holds messages and branch summaries with the entries that they come from; no marker, failure, change or custom entry',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await session.record({ type: 'turn_marker', status: 'started' })
      await session.append([user('question'), calls(['1', 'look']), result('1'), assistant('answer')])
      await session.record([
        { type: 'run_failure', error: 'hidden' },
        { type: 'model_change', provider: 'hidden', model: 'hidden' },
        { type: 'active_tools_change', tools: ['hidden'] },
        { type: 'thread_info', metadata: { hidden: true } },
        { type: 'custom', name: 'hidden', data: { message: user('hidden') } },
        { type: 'of_tomorrow', message: user('hidden') },
        { type: 'branch_summary', summary: 'what the branch was about' },
        { type: 'branch_summary', summary: '  ' },
        { type: 'turn_marker', status: 'completed' },
      ])
      await session.append(user('next'))
      const { messages, entries, segments } = await (await (await sessions()).open('s')).context()
      const summary = assistant('what the branch was about')
      const shown = [user('question'), calls(['1', 'look']), result('1'), assistant('answer'), summary, user('next')]
      assertEqual(messages, shown, 'the messages')
      assertEqual(
        segments.map(({ entryType }) => entryType),
        ['user_message', 'tool_call', 'tool_result', 'assistant_message', 'branch_summary', 'user_message'],
        'the types of their entries',
      )
      assertEqual(
        segments.map(({ entryId, parentId }) => [entryId, parentId]),
        entries.map(({ id, parentId }) => [id, parentId]),
        'the ids and parents of their entries',
      )
      for (const { id } of entries) assertEqual((await session.entry(id)).id, id, 'an entry that a message comes from')
    },
  },
  {
    id: 'tree:21',
    group: 'tree',
    title: 'calls by which an agent ends its turn are shown as its words, without anything of a tool',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await session.append([
        user('go'),
        calls(['1', 'ask_user', '{"question":"Which one?"}']),
        user('this one'),
        calls(['2', 'ask_user', 'not JSON']),
        user('well'),
        calls(['3', 'task_complete', '{"output":"Done."}']),
      ])
      const { messages, segments, unanswered } = await session.context()
      assertEqual(
        messages,
        [
          user('go'),
          assistant('Agent requested user input: Which one?'),
          user('this one'),
          assistant('Agent requested user input: not JSON'),
          user('well'),
          assistant('Agent completed the task: Done.'),
        ],
        'the messages',
      )
      assertEqual(
        segments.map(({ role, kind, calls: made }) => [role, kind, made.length]),
        ['message', 'control_signal', 'message', 'control_signal', 'message', 'control_signal'].map((kind) => [
          kind === 'message' ? 'user' : 'assistant',
          kind,
          0,
        ]),
        'the segments',
      )
      assertEqual(unanswered, [], 'calls without an answer')
    },
  },
  {
    id: 'tree:25',
    group: 'tree',
    title:
      'each message has its segment; purposes differ in previews and artifacts only, and no preview ends within a character',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      const image = { type: 'image_url', image_url: { url: 'https://example.org/cat.png' } }
      // An astral character across each of the first boundaries, in units and in bytes.
      const long = `x${'😀'.repeat(300)}`
      await session.append([user([{ type: 'text', text: 'look' }, image]), calls(['1', 'look']), result('1')])
      await session.append(assistant(long))
      const provider = await session.context()
      const [compaction, ui] = [
        await session.context({ purpose: 'compaction' }),
        await session.context({ purpose: 'ui' }),
      ]
      for (const { messages } of [compaction, ui]) assertEqual(messages, provider.messages, 'the messages')
      assertEqual(
        provider.segments.map(({ entryId, role, calls: made, results }) => [entryId, role, made, results]),
        provider.entries.map(({ id }, i) => [
          id,
          ['user', 'assistant', 'tool', 'assistant'][i],
          i === 1 ? [{ id: '1', name: 'look' }] : [],
          i === 2 ? [{ callId: '1' }] : [],
        ]),
        'the segments',
      )
      assert(
        provider.segments.every(({ tokens, bytes }) => tokens > 8 && bytes > 8),
        'every message costs something',
      )
      const hasMore = ({ preview, artifacts }: { preview?: unknown; artifacts?: unknown }) => preview ?? artifacts
      assertEqual(
        provider.segments.map(hasMore),
        [undefined, undefined, undefined, undefined],
        'what a provider needs not',
      )
      assertEqual(compaction.segments, provider.segments, 'the segments for a compaction')
      assertEqual(
        ui.segments[0]?.artifacts?.map(({ url }) => url),
        ['https://example.org/cat.png'],
        'the artifacts',
      )
      assertEqual(ui.segments[3]?.preview, `x${'😀'.repeat(239)}…`, 'the preview of a long text')
    },
  },
]

/** Lines 22 and 23 of the session tree: compactions. */
export const compactionLines: readonly SessionCase[] = [
  {
    id: 'tree:22',
    group: 'tree',
    title:
      'of several compactions the newest counts: its checkpoint, then what it keeps; kept users elsewhere are in it once, in order',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await say(session, 'u1', 'u2')
      await session.record({ type: 'compaction', summary: 'summary one', firstKeptEntryId: 'u2', generation: 1 })
      await say(session, 'u3', 'u4', 'u5')
      const kept = ['u3', 'u1', 'u3', 'u5'].map((id) => ({ entryId: id, text: `<${id}>` }))
      const checkpoint = await session.record({
        type: 'compaction',
        summary: 'summary two',
        firstKeptEntryId: 'u4',
        keptUsers: kept,
        generation: 2,
      })
      await say(session, 'u6')
      const context = await (await (await sessions()).open('s')).context()
      const [text, ...tail] = textsIn(context)
      assertEqual(tail, ['u4', 'u5', 'u6'], 'what follows the checkpoint')
      const { role, kind, entryId, generation } = { ...context.segments[0] }
      assertEqual([role, kind, entryId, generation], ['user', 'compaction_summary', checkpoint.id, 2], 'the checkpoint')
      assertEqual(context.messages[0]?.role, 'user', 'the role of its message')
      assertEqual(context.compaction?.id, checkpoint.id, 'the compaction that counts')
      assertEqual(countOf(text, 'summary two'), 1, 'how often the summary is in it')
      assertEqual(countOf(text, 'summary one'), 0, 'how often the earlier one is')
      assertEqual([...String(text).matchAll(/u(\d)>/g)].map(([, id]) => id).join(), '3,1', 'the kept users in it')
    },
  },
  {
    id: 'session/budgeted-context',
    group: 'session',
    title:
      'a context with a budget costs what it holds: without any compaction, and with one at the beginning, whose checkpoint it shows',
    async run({ open, sessions }) {
      const one = await sessions()
      const [plain, compacted] = [await one.create('plain'), await one.create('compacted')]
      await compacted.append(user('long ago'))
      await compacted.record({ type: 'compaction', summary: 'what was', firstKeptEntryId: null })
      for (const session of [plain, compacted]) {
        await session.append(Array.from({ length: 600 }, (_, i) => user(`${i} `.padEnd(400, 'x'))))
      }
      await compacted.fork({ id: 'fork' })
      for (const [id, checkpoint, most] of [
        // The newest 256 at most, and the compaction with what is right before it.
        ['plain', false, 300],
        ['compacted', true, 300],
        // A page of the source's may hold them all, and the compaction is read by itself.
        ['fork', true, 604],
      ] as const) {
        const { adapter, counts } = counting(await open())
        const context = await (await (await sessions({}, adapter)).open(id)).context({ maxBytes: 4_000 })
        const [first] = textsIn(context)
        assertEqual(
          [String(first).includes('what was'), context.complete, context.messages.length > 4],
          [checkpoint, false, true],
          `what is shown of ${id}`,
        )
        const { records } = counts.read
        assert(records <= most, `${id}: of some 600 records at most ${most} are read, not ${records}`)
      }
    },
  },
  {
    id: 'tree:23',
    group: 'tree',
    title:
      'no summary, no checkpoint; kept users alone keep no tail; a first kept entry that is missing keeps the last batch, whole',
    async run({ sessions }) {
      const one = await sessions()
      const compacted = async (id: string, content: object): Promise<Conversation> => {
        const session = await one.create(id)
        await session.append([user('q'), calls(['1', 'look'], ['2', 'look'])], { id: ['q', 'c'] })
        await session.append([result('1'), result('2')])
        await session.record({ type: 'compaction', summary: '', ...content })
        await session.append(user('next'), { id: 'next' })
        return session
      }
      const typesOf = async (session: Conversation) => {
        const { segments } = await session.context()
        return segments.map(({ entryType, results }) => results[0]?.callId ?? entryType)
      }
      const empty = await compacted('empty', { firstKeptEntryId: 'q' })
      assertEqual(await typesOf(empty), ['user_message', 'tool_call', '1', '2', 'user_message'], 'without a summary')
      const users = await compacted('users', { summary: 'sum', keptUsers: [{ entryId: 'q', text: 'q' }] })
      assertEqual(await typesOf(users), ['compaction', 'user_message'], 'with kept users alone')
      for (const [id, content] of [
        ['missing', { summary: 'sum', firstKeptEntryId: 'nobody' }],
        ['absent', { summary: 'sum' }],
      ] as const) {
        const session = await compacted(id, content)
        assertEqual(
          await typesOf(session),
          ['compaction', 'tool_call', '1', '2', 'user_message'],
          `${id} first kept entry`,
        )
      }
      const within = await compacted('within', { summary: 'sum' })
      const [, , second] = (await within.context()).entries
      await within.record({ type: 'compaction', summary: 'sum', firstKeptEntryId: String(second?.id) })
      assertEqual(await typesOf(within), ['compaction', 'tool_call', '1', '2', 'user_message'], 'cut within a batch')
      assertEqual(idsOf((await within.context()).entries).at(-1), 'next', 'the end')
    },
  },
]

const countOf = (text: unknown, part: string) => String(text).split(part).length - 1
