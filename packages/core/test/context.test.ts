import { describe, expect, test } from 'vitest'
import { buildContext, type ContextOptions } from '../src/context.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { assistant, call, gist, marker, pathOf, result, user, type Step } from './path-of.ts'

const format = roleContent()
const context = (steps: readonly Step[], options?: ContextOptions) =>
  buildContext(pathOf<RoleMessage>(steps), format, options)
const gists = (steps: readonly Step[], options?: ContextOptions) => context(steps, options).messages.map(gist)
const textOf = (message: RoleMessage | undefined) => String(message?.['content'])

describe('what is shown', () => {
  test('tree:2 an empty path has an empty context', () => {
    expect(context([])).toEqual({
      messages: [],
      entries: [],
      segments: [],
      bytes: 0,
      tokens: 0,
      unanswered: [],
      complete: true,
    })
  })

  test('tree:20 messages and branch summaries, with the ids of their entries and parents; nothing else', () => {
    const steps: readonly Step[] = [
      marker('started', 't'),
      user('question'),
      { type: 'model_change', provider: 'p', model: 'm' },
      { type: 'active_tools_change', tools: ['a'] },
      { type: 'custom', name: 'note', message: { role: 'user', content: 'not for the model' } },
      call('a'),
      marker('save_point', 't'),
      result('a'),
      { type: 'run_failure', error: 'broken' },
      { type: 'thread_info' },
      { type: 'of a later version', message: { role: 'user', content: 'x' } },
      { type: 'branch_summary', summary: 'The other branch.' },
      { type: 'branch_summary', summary: '  ' },
      { type: 'user_message', message: { role: '', content: 'nobody says it' } },
      { type: 'user_message' },
      assistant('answer'),
    ]
    const { messages, entries, segments } = context(steps)
    expect(messages.map(gist)).toEqual(['question', 'call(a)', 'result(a)', 'The other branch.', 'answer'])
    expect(messages[3]).toEqual({ role: 'assistant', content: 'The other branch.' })
    expect(entries.map(({ id }) => id)).toEqual(['e1', 'e5', 'e7', 'e11', 'e15'])
    expect(segments.map(({ entryId, parentId }) => [entryId, parentId])).toEqual([
      ['e1', 'e0'],
      ['e5', 'e4'],
      ['e7', 'e6'],
      ['e11', 'e10'],
      ['e15', 'e14'],
    ])
  })

  test('tree:20 system messages are part of the context', () => {
    expect(gists([{ type: 'system_message', message: { role: 'system', content: 'Be brief.' } }, user('hi')])).toEqual([
      'Be brief.',
      'hi',
    ])
  })

  const control = (name: string, input: string): Step => ({
    type: 'tool_call',
    message: { role: 'assistant', content: null, tool_calls: [{ id: 'c', function: { name, arguments: input } }] },
  })

  test('tree:21 control calls become plain text of an assistant, without tool fields', () => {
    const { messages, segments, unanswered } = context([
      user('go'),
      control('ask_user', '{"question":"Which one?"}'),
      user('the first'),
      control('task_complete', '{"output":"Done."}'),
    ])
    expect(messages).toEqual([
      { role: 'user', content: 'go' },
      { role: 'assistant', content: 'Agent requested user input: Which one?' },
      { role: 'user', content: 'the first' },
      { role: 'assistant', content: 'Agent completed the task: Done.' },
    ])
    expect(segments[1]).toMatchObject({ kind: 'control_signal', entryType: 'tool_call', role: 'assistant', calls: [] })
    expect(unanswered).toEqual([])
  })

  test('tree:21 arguments that are not as expected are shown as they are', () => {
    const shown = (input: string) => textOf(context([control('ask_user', input)]).messages[0])
    expect(shown('{"question":7}')).toBe('Agent requested user input: {"question":7}')
    expect(shown('not JSON')).toBe('Agent requested user input: not JSON')
    expect(shown('{"question":" "}')).toBe('Agent requested user input: {"question":" "}')
    expect(shown('null')).toBe('Agent requested user input: null')
  })

  test('a control call beside another: the text comes behind the batch; one that was answered stays a call', () => {
    const both: Step = {
      type: 'tool_call',
      message: {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: 'q', function: { name: 'ask_user', arguments: '{"question":"Ok?"}' } },
          { id: 'a', function: { name: 'tool', arguments: '{}' } },
        ],
      },
    }
    const shown = context([both, result('a')])
    expect(shown.messages.map(gist)).toEqual(['call(a)', 'result(a)', 'Agent requested user input: Ok?'])
    expect(textOf(shown.messages[0])).toBe('Let me see.')
    expect(new Set(shown.segments.map(({ batch }) => batch)).size).toBe(1)
    expect(gists([both, result('a'), result('q')])).toEqual(['call(q,a)', 'result(a)', 'result(q)'])
  })
})

describe('whole batches', () => {
  test('calls that nobody answered are left out and named, what their message says stays', () => {
    const partly: Step = {
      type: 'tool_call',
      message: { ...(call('a', 'b')['message'] as object), content: 'Two things.' },
      turnId: 't',
    }
    const { messages, segments, unanswered } = context([user('go'), partly, result('a'), user('and?')])
    expect(segments[1]?.calls).toEqual([{ id: 'a', name: 'tool' }])
    expect(messages.map(gist)).toEqual(['go', 'call(a)', 'result(a)', 'and?'])
    expect(textOf(messages[1])).toBe('Two things.')
    expect(unanswered).toEqual([{ entryId: 'e1', turnId: 't', callId: 'b', name: 'tool', underWay: false }])
  })

  test('the calls of a turn under way are named as such; those of one that ended are not', () => {
    const steps = [marker('started', 't'), user('go'), { ...call('a', 'b'), turnId: 't' }, result('a')]
    expect(context(steps).unanswered).toMatchObject([{ callId: 'b', underWay: true }])
    expect(context([...steps, marker('save_point', 't')]).unanswered).toMatchObject([{ underWay: true }])
    expect(context([...steps, marker('aborted', 't')]).unanswered).toMatchObject([{ underWay: false }])
    expect(context([...steps, marker('started', 'u')]).unanswered).toMatchObject([{ underWay: false }])
    expect(context([marker('completed', 's'), call('a')]).unanswered).toMatchObject([{ underWay: true }])
  })

  test('results without a call, and second results of one call, are left out', () => {
    expect(gists([result('x'), user('go'), result('a'), call('a'), result('a'), result('a', 'again')])).toEqual([
      'go',
      'call(a)',
      'result(a)',
    ])
  })

  test('a result behind another message answers nothing', () => {
    expect(gists([call('a'), user('wait'), result('a')])).toEqual(['wait'])
    expect(gists([call('a'), assistant('wait'), result('a')])).toEqual(['wait'])
  })

  test('an id that comes again is another call', () => {
    const steps = [call('a'), result('a', 'one'), call('a'), result('a', 'two')]
    expect(gists(steps)).toEqual(['call(a)', 'result(a)', 'call(a)', 'result(a)'])
    expect(context(steps).segments.map(({ batch }) => batch)).toEqual([0, 0, 1, 1])
  })

  test('calls in entries of their own, as the prior system stored them, are one batch', () => {
    const steps = [user('go'), call('a'), call('b'), result('a'), result('b'), assistant('done')]
    expect(context(steps).segments.map(({ batch }) => batch)).toEqual([0, 1, 1, 1, 1, 2])
    expect(gists([user('go'), call('a'), call('b'), result('b')])).toEqual(['go', 'call(b)', 'result(b)'])
  })

  test('lost entries and markers between a call and its result count as nothing', () => {
    const lost: Step = { type: 'lost', first: 3, last: 4 }
    expect(gists([call('a', 'b'), lost, result('a'), marker('save_point', 't'), lost, result('b')])).toEqual([
      'call(a,b)',
      'result(a)',
      'result(b)',
    ])
    // Of one of which the call was lost, the result goes.
    expect(gists([user('go'), lost, result('a'), assistant('done')])).toEqual(['go', 'done'])
  })

  test('without a format that can leave parts out, a batch that is not whole goes as a whole', () => {
    const { without: _, ...plain } = roleContent()
    const steps = pathOf<RoleMessage>([user('go'), call('a', 'b'), result('a'), user('and?')])
    const { messages, unanswered } = buildContext(steps, plain)
    expect(messages.map(gist)).toEqual(['go', 'and?'])
    expect(unanswered).toMatchObject([{ callId: 'b' }])
  })

  test('a format that does not take messages apart: a call, and any number of results', () => {
    const { read: _, without: _without, ...plain } = roleContent()
    const shown = (steps: readonly Step[]) => buildContext(pathOf<RoleMessage>(steps), plain).messages.map(gist)
    expect(shown([call('a', 'b'), result('a'), result('b'), user('next')])).toEqual([
      'call(a,b)',
      'result(a)',
      'result(b)',
      'next',
    ])
    expect(shown([call('a', 'b'), user('next'), result('a')])).toEqual(['next'])
    // What it says is its JSON, {"role":"user","content":"hi"}, so that the estimate counts it.
    expect(buildContext(pathOf<RoleMessage>([user('hi')]), plain).tokens).toBe(8 + 10)
  })
})
