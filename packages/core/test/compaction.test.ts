import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compactionContent, prepareCompaction, shouldCompact, type CompactionPlan } from '../src/compaction.ts'
import type { CompactionSettings } from '../src/compaction-settings.ts'
import { buildContext } from '../src/context.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { assistant, call, gist, pathOf, result, user, type Step } from './path-of.ts'

/** Every message costs 10, but the kept users their letters. */
const format = { ...roleContent(), estimateTokens: () => 10 }
const context = (steps: readonly Step[], options = {}) => buildContext(pathOf<RoleMessage>(steps), format, options)
const SMALL: CompactionSettings = {
  tailTokens: 20,
  targetTokens: 1_000,
  summaryTokens: 100,
  overheadTokens: 10,
  userTokens: 8,
}
const prepare = (steps: readonly Step[], settings: CompactionSettings = SMALL) =>
  prepareCompaction(context(steps), format, settings)

function plan(steps: readonly Step[], settings?: CompactionSettings): CompactionPlan<RoleMessage> {
  const prepared = prepare(steps, settings)
  if (!prepared) throw new Error('nothing to compact')
  return prepared
}

/** The path with the compaction at its end. */
function compacted(steps: readonly Step[], settings?: CompactionSettings): readonly Step[] {
  return [...steps, { ...compactionContent(plan(steps, settings), 'What was.') }]
}

const talk = [user('one'), assistant('1'), user('two'), assistant('2'), user('three'), assistant('3')]

describe('prepareCompaction', () => {
  test('keeps the newest messages, and names what it summarises', () => {
    const { messages, content, keptTokens, previousSummary } = plan(talk)
    expect(messages.map(gist)).toEqual(['one', '1', 'two', '2'])
    expect(content).toEqual({
      type: 'compaction',
      firstKeptEntryId: 'e4',
      keptUsers: [
        { entryId: 'e0', text: 'one' },
        { entryId: 'e2', text: 'two' },
      ],
      compactedThroughEntryId: 'e3',
      generation: 1,
      tokensBefore: 60,
    })
    expect(keptTokens).toBe(20)
    expect(previousSummary).toBeUndefined()
    expect(context(compacted(talk)).messages.map(gist)).toEqual(['checkpoint', 'three', '3'])
  })

  test('the tail reaches its tokens: it may exceed them by one batch', () => {
    expect(plan(talk, { ...SMALL, tailTokens: 21 }).content.firstKeptEntryId).toBe('e3')
    expect(plan(talk, { ...SMALL, tailTokens: 0 }).content.firstKeptEntryId).toBeNull()
  })

  test('a kept result has its call: the tail starts at a batch', () => {
    const steps = [user('go'), call('a', 'b'), result('a'), result('b'), assistant('done')]
    const { content, messages } = plan(steps)
    expect(content.firstKeptEntryId).toBe('e1')
    expect(messages.map(gist)).toEqual(['go'])
  })

  test('the tail shrinks, by whole batches, until checkpoint and tail meet the target', () => {
    const steps = [user('go'), call('a', 'b'), result('a'), result('b'), assistant('done')]
    // 110 for the checkpoint, 1 for the user's "go", 40 for the tail.
    expect(plan(steps, { ...SMALL, targetTokens: 151 }).content.firstKeptEntryId).toBe('e1')
    expect(plan(steps, { ...SMALL, targetTokens: 150 }).content.firstKeptEntryId).toBe('e4')
    expect(plan(steps, { ...SMALL, targetTokens: 120 }).content.firstKeptEntryId).toBeNull()
    expect(context(compacted(steps, { ...SMALL, targetTokens: 0 })).messages.map(gist)).toEqual(['checkpoint'])
  })

  test('of a single batch nothing is kept', () => {
    const { messages, content } = plan([user('alone')])
    expect(messages.map(gist)).toEqual(['alone'])
    expect(content).toMatchObject({ firstKeptEntryId: null, keptUsers: [{ entryId: 'e0', text: 'alone' }] })
    expect(plan([call('a'), result('a')]).content.firstKeptEntryId).toBeNull()
  })

  test('nothing to compact: an empty context, one that the tail holds, one of system messages', () => {
    expect(prepare([])).toBeUndefined()
    expect(prepare(talk, { ...SMALL, tailTokens: 60 })).toBeUndefined()
    const system: Step = { type: 'system_message', message: { role: 'system', content: 'Be brief.' } }
    expect(prepare([system, user('x'), assistant('y')])).toBeUndefined()
  })

  test('users: the newest always, older ones within the limit, in order', () => {
    const steps = [
      user('a'.repeat(12)),
      user('b'.repeat(9)),
      user('c'.repeat(12)),
      user('d'.repeat(300)),
      assistant('x'),
    ]
    const kept = (userTokens: number, tailTokens = 10) =>
      plan(steps, { ...SMALL, tailTokens, userTokens }).content.keptUsers?.map(({ entryId }) => entryId)
    expect(kept(0)).toEqual(['e3'])
    // The first that does not fit ends it, though an older one would.
    expect(kept(103)).toEqual(['e3'])
    expect(kept(104)).toEqual(['e2', 'e3'])
    expect(kept(107)).toEqual(['e1', 'e2', 'e3'])
    expect(kept(111)).toEqual(['e0', 'e1', 'e2', 'e3'])
    // The newest one counts also where the tail shows it anyway.
    expect(kept(104, 20)).toEqual(['e2'])
    expect(kept(100, 20)).toBeUndefined()
  })

  test('users: one that says nothing, as with a picture alone, is not kept', () => {
    const { content } = plan([user(' '), ...talk, assistant('x'), assistant('y')])
    expect(content.keptUsers?.map(({ entryId }) => entryId)).toEqual(['e1', 'e3', 'e5'])
  })

  test('the second compaction builds on the first', () => {
    const first = compacted(talk)
    const steps = [...first, user('four'), assistant('4')]
    const { messages, content, previousSummary } = plan(steps)
    expect(messages.map(gist)).toEqual(['three', '3'])
    expect(previousSummary).toBe('What was.')
    expect(content).toMatchObject({
      generation: 2,
      previousCompactionId: 'e6',
      firstKeptEntryId: 'e7',
      compactedThroughEntryId: 'e5',
      // "four" and "three" take 4 tokens, "two" and "one" of the first compaction 1 each.
      keptUsers: [
        { entryId: 'e0', text: 'one' },
        { entryId: 'e2', text: 'two' },
        { entryId: 'e4', text: 'three' },
      ],
    })
    const after = context(compacted(steps))
    expect(after.messages.map(gist)).toEqual(['checkpoint', 'four', '4'])
    expect(after.segments[0]?.generation).toBe(2)
  })

  test('system messages of the head stay, through any number of compactions', () => {
    const system: Step = { type: 'system_message', message: { role: 'system', content: 'Be brief.' } }
    const first = compacted([system, ...talk])
    expect(plan([system, ...talk]).messages.map(gist)).not.toContain('Be brief.')
    expect(plan([system, ...talk]).keptTokens).toBe(30)
    expect(context(first).messages.map(gist)).toEqual(['Be brief.', 'checkpoint', 'three', '3'])
    const second = compacted([...first, user('four'), assistant('4')])
    expect(context(second).messages.map(gist)).toEqual(['Be brief.', 'checkpoint', 'four', '4'])
    expect(plan([...second, user('five'), assistant('5')]).content.keptSystem).toEqual([
      { entryId: 'e0', message: { role: 'system', content: 'Be brief.' } },
    ])
  })

  test('in the middle of a batch: its result brings the call back', () => {
    const steps = compacted([...talk, call('a')], { ...SMALL, tailTokens: 0 })
    expect(context(steps).messages.map(gist)).toEqual(['checkpoint'])
    expect(context([...steps, result('a')]).messages.map(gist)).toEqual(['checkpoint', 'call(a)', 'result(a)'])
  })

  test('a context that a budget has cut is a TypeError', () => {
    expect(() => prepareCompaction(context(talk, { maxTokens: 30 }), format, SMALL)).toThrow(TypeError)
  })

  test('for any talk: what it keeps and what it summarises is all there was, once, and the target is met', () => {
    const step = fc.oneof(
      fc.string({ minLength: 1, maxLength: 30 }).map((text) => [user(`u${text}`)]),
      fc.constant([assistant('a')]),
      fc.integer({ min: 1, max: 3 }).map((n) => {
        const ids = ['a', 'b', 'c'].slice(0, n)
        return [call(...ids), ...ids.map((id) => result(id))]
      }),
    )
    const settings = fc.record({
      tailTokens: fc.nat({ max: 100 }),
      targetTokens: fc.nat({ max: 300 }),
      summaryTokens: fc.constant(50),
      userTokens: fc.nat({ max: 40 }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), settings, (parts, limits) => {
        const steps = parts.flat()
        const before = context(steps)
        const prepared = prepareCompaction(before, format, limits)
        if (!prepared) {
          // The tail holds all.
          expect(steps.length * 10).toBeLessThan(limits.tailTokens + 40)
          return
        }
        const after = context([...steps, { ...compactionContent(prepared, 'What was.') }])
        const tail = after.messages.slice(1)
        expect([...prepared.messages, ...tail].map(gist)).toEqual(before.messages.map(gist))
        expect(after.messages.map(gist)[0]).toBe('checkpoint')
        const newest = steps.findLastIndex(({ type }) => type === 'user_message')
        const shown = [
          ...after.entries.map(({ id }) => id),
          ...(prepared.content.keptUsers ?? []).map(({ entryId }) => entryId),
        ]
        if (newest >= 0) expect(shown.filter((id) => id === `e${newest}`)).toHaveLength(1)
        if (prepared.content.firstKeptEntryId !== null) {
          expect(prepared.keptTokens + 2_000 + limits.summaryTokens).toBeLessThanOrEqual(limits.targetTokens)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('compactionContent', () => {
  test('carries the summary, what was said about it, and the estimate', () => {
    const content = compactionContent(plan(talk), '  What was.\n', {
      trigger: 'manual',
      reason: 'threshold',
      metadata: { by: 'me' },
    })
    expect(content).toMatchObject({
      summary: 'What was.',
      trigger: 'manual',
      reason: 'threshold',
      metadata: { by: 'me' },
    })
    const counted = roleContent()
    const real = prepareCompaction(buildContext(pathOf<RoleMessage>(talk), counted), counted, {
      ...SMALL,
      tailTokens: 18,
    })
    const stored = compactionContent(real as CompactionPlan<RoleMessage>, 'What was.')
    const after = buildContext(pathOf<RoleMessage>([...talk, { ...stored }]), counted)
    expect(stored.tokensAfter).toBe(after.tokens)
    expect(stored.tokensBefore).toBe(buildContext(pathOf<RoleMessage>(talk), counted).tokens)
  })

  test('a blank summary is a TypeError: it would stand for nothing', () => {
    for (const summary of ['', ' \n', undefined as unknown as string]) {
      expect(() => compactionContent(plan(talk), summary)).toThrow(TypeError)
    }
  })
})

describe('settings', () => {
  test('shouldCompact: nine tenths of what the answer leaves of the window', () => {
    expect(shouldCompact(172_799)).toBe(false)
    expect(shouldCompact(172_800)).toBe(true)
    expect(shouldCompact(90, { contextWindow: 200, outputTokens: 100 })).toBe(true)
    expect(shouldCompact(49, { contextWindow: 200, outputTokens: 100, threshold: 0.5 })).toBe(false)
  })

  test('the defaults: 12,000 of the newest, 50,000 altogether', () => {
    const counted = { ...roleContent(), estimateTokens: () => 1_000 }
    const steps = Array.from({ length: 50 }, (_, i) => assistant(`${i}`))
    const prepared = prepareCompaction(buildContext(pathOf<RoleMessage>(steps), counted), counted)
    expect(prepared?.content.firstKeptEntryId).toBe('e38')
    expect(prepared?.summaryTokens).toBe(20_000)
  })

  test('what makes no sense is a TypeError', () => {
    for (const settings of [
      { tailTokens: -1 },
      { userTokens: Number.NaN },
      { threshold: 1.5 },
      { outputTokens: 256_000 },
    ]) {
      expect(() => shouldCompact(1, settings)).toThrow(TypeError)
      expect(() => prepare(talk, settings)).toThrow(TypeError)
    }
    expect(shouldCompact(172_800, { contextWindow: undefined } as unknown as CompactionSettings)).toBe(true)
  })
})
