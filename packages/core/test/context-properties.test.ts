import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildContext, ContextProjection } from '../src/context.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { referenceContext, type Remainder } from './context-reference.ts'
import { assistant, call, compaction, gist, marker, pathOf, result, user, type Step } from './path-of.ts'

const format = roleContent()

const id = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom('one', 'two words', 'é 😀').map(user),
  fc.constantFrom('yes', 'no').map(assistant),
  { weight: 3, arbitrary: fc.uniqueArray(id, { minLength: 1, maxLength: 3 }).map((ids) => call(...ids)) },
  { weight: 5, arbitrary: id.map((each) => result(each)) },
  fc.constantFrom<Step>(marker('started', 't'), marker('aborted', 't'), { type: 'lost', first: 1, last: 1 }),
  fc
    .record({
      firstKept: fc.oneof(fc.nat({ max: 20 }), fc.constantFrom(null, undefined, 'unknown')),
      keptUsers: fc.boolean(),
      summary: fc.constantFrom('What was.', ''),
    })
    .map(({ firstKept, keptUsers, summary }) =>
      compaction({
        summary,
        ...(firstKept === undefined
          ? {}
          : { firstKeptEntryId: typeof firstKept === 'number' ? `e${firstKept}` : firstKept }),
        ...(keptUsers ? { keptUsers: [{ entryId: 'before', text: 'long ago' }] } : {}),
      }),
    ),
)
const steps = fc.array(step, { maxLength: 24 })
const runs = { numRuns: 3_000 }

/** What a provider checks: results right behind their calls, each call answered once, before anything else is said. */
function providerRefuses(messages: readonly RoleMessage[]): string | undefined {
  const open: string[] = []
  for (const message of messages) {
    const calls = (message['tool_calls'] as readonly { id: string }[] | undefined)?.map((each) => each.id)
    const answered = message['tool_call_id'] as string | undefined
    if (answered !== undefined) {
      const found = open.indexOf(answered)
      if (found < 0) return `orphan result ${answered}`
      open.splice(found, 1)
    } else if (calls) open.push(...calls)
    else if (open.length > 0) return `dangling call ${open.join()} before ${gist(message)}`
  }
  return open.length > 0 ? `dangling call ${open.join()}` : undefined
}

describe('for any path', () => {
  test('no provider ever meets a dangling call or an orphan result', () => {
    fc.assert(
      fc.property(steps, fc.option(fc.nat({ max: 200 })), (path, limit) => {
        const options = limit === null ? {} : { maxTokens: limit }
        expect(providerRefuses(buildContext(pathOf<RoleMessage>(path), format, options).messages)).toBeUndefined()
      }),
      runs,
    )
  })

  test('newest first gives what a plain projection oldest first gives', () => {
    fc.assert(
      fc.property(steps, (path) => {
        const { entries, messages, segments, unanswered } = buildContext(pathOf<RoleMessage>(path), format)
        const batches = new Map<number, Remainder[]>()
        for (const [i, segment] of segments.entries()) {
          if (entries[i]?.type === 'compaction') continue
          const calls = (messages[i]?.['tool_calls'] ?? []) as readonly { id: string }[]
          const shown = { at: entries[i]?.position[1] as number, calls: calls.map((each) => each.id) }
          batches.set(segment.batch, [...(batches.get(segment.batch) ?? []), shown])
        }
        const reference = referenceContext(path)
        expect([...batches.values()]).toEqual(reference.batches)
        expect(unanswered.map(({ callId }) => callId)).toEqual(reference.unanswered)
        const newest = path.findLastIndex(({ type }) => type === 'compaction')
        const checkpoints = segments.filter(({ kind }) => kind === 'compaction_summary')
        expect(checkpoints).toHaveLength(newest >= 0 && path[newest]?.['summary'] !== '' ? 1 : 0)
        expect(segments.findIndex(({ kind }) => kind === 'compaction_summary')).toBeLessThan(1)
      }),
      runs,
    )
  })

  test('a budget is never exceeded and never splits a batch; what it keeps is the newest, without a gap', () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 250 }), fc.nat({ max: 1_500 }), (path, maxTokens, maxBytes) => {
        const entries = pathOf<RoleMessage>(path)
        const whole = buildContext(entries, format)
        const cut = buildContext(entries, format, { maxTokens, maxBytes })
        expect(cut.tokens).toBeLessThanOrEqual(maxTokens)
        expect(cut.bytes).toBeLessThanOrEqual(maxBytes)
        const isHead = ({ entryType }: { entryType: string }) => entryType === 'compaction'
        const tail = cut.segments.filter((segment) => !isHead(segment))
        const wholeTail = whole.segments.filter((segment) => !isHead(segment))
        const expected = tail.length === 0 ? [] : wholeTail.slice(-tail.length)
        expect(tail.map(({ entryId, tokens }) => [entryId, tokens])).toEqual(
          expected.map(({ entryId, tokens }) => [entryId, tokens]),
        )
        const first = wholeTail.length - tail.length
        if (tail.length > 0 && first > 0) expect(wholeTail[first - 1]?.batch).not.toBe(wholeTail[first]?.batch)
        expect(cut.complete).toBe(cut.messages.length === whole.messages.length)
        // As many as fit: the next batch would not.
        if (tail.length < wholeTail.length && cut.segments.length === tail.length && !whole.segments.some(isHead)) {
          const next = wholeTail.filter(({ batch }) => batch === wholeTail[first - 1]?.batch)
          const sum = (field: 'tokens' | 'bytes') => next.reduce((total, segment) => total + segment[field], 0)
          expect(cut.tokens + sum('tokens') > maxTokens || cut.bytes + sum('bytes') > maxBytes).toBe(true)
        }
      }),
      runs,
    )
  })

  test('an entry that is taken once it has seen enough changes nothing', () => {
    fc.assert(
      fc.property(steps, steps, (older, path) => {
        const entries = pathOf<RoleMessage>([...older, ...path])
        const stopping = new ContextProjection<RoleMessage>(format)
        const deaf = new ContextProjection<RoleMessage>(format)
        for (const entry of entries.toReversed()) if (!stopping.add(entry)) break
        for (const entry of entries.toReversed()) deaf.add(entry)
        expect(stopping.build()).toEqual(deaf.build())
      }),
      { numRuns: 500 },
    )
  })
})
