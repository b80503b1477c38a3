import { describe, expect, test } from 'vitest'
import { generateTranscript } from '../src/generate-transcript.ts'
import { judge, type Cut } from '../src/kill-report.ts'
import { checkRecovery } from '../src/recovery.ts'
import type { Resumed } from '../src/resume.ts'
import { parseTranscript } from '../src/transcript.ts'

const entries = (ids: string) => Array.from(ids, (id) => ({ id, digest: `digest of ${id}` }))

describe('acknowledged ⊆ recovered ⊆ attempted', () => {
  test.each([
    ['exactly what was acknowledged', 'abc', 'abc', 'd'],
    ['the one under way as well', 'abc', 'abcd', 'd'],
    ['nothing was under way', 'abc', 'abc', undefined],
    ['nothing at all', '', '', 'a'],
    ['the first one under way', '', 'a', 'a'],
  ])('%s is right', (_what, acknowledged, recovered, attempted) => {
    expect(checkRecovery(entries(acknowledged), entries(recovered), attempted)).toEqual([])
  })

  test.each([
    ['the last one is missing', 'abc', 'ab', 'd', ['entry c was acknowledged and is missing']],
    ['everything is missing', 'ab', '', 'c', ['entry a was', 'entry b was']],
    ['a hole', 'abc', 'ac', 'd', ['entry b was acknowledged and is missing', 'entry c is not in its place']],
    ['another order', 'abc', 'acb', 'd', ['entry c is not in its place', 'entry b is not in its place']],
    ['one is there twice', 'abc', 'abcc', 'd', ['entry c is not in its place, or there twice']],
    ['the one under way is there twice', 'abc', 'abcdd', 'd', ['entry d, which was under way, is not the last one']],
    ['the one under way is in between', 'abc', 'abdc', 'd', ['entry d, which was under way', 'entry c is not']],
    ['two more than acknowledged', 'abc', 'abcde', 'd', ['entry e is there and was never begun']],
    ['one more, but nothing was under way', 'abc', 'abcd', undefined, ['entry d is there and was never begun']],
  ])('%s is wrong', (_what, acknowledged, recovered, attempted, problems) => {
    const found = checkRecovery(entries(acknowledged), entries(recovered), attempted)
    expect(found).toHaveLength(problems.length)
    for (const [i, problem] of problems.entries()) expect(found[i]).toContain(problem)
  })

  test('another digest is wrong', () => {
    expect(checkRecovery(entries('ab'), [...entries('a'), { id: 'b', digest: 'other' }], undefined)).toEqual([
      'entry b does not have the digest that was acknowledged',
    ])
  })
})

describe('the verdict', () => {
  const transcript = parseTranscript(generateTranscript())
  const after = transcript.entries.findIndex(({ content }) => content.type === 'tool_call') + 1
  const killPoint = { after, inToolCall: true, delay: 0, torn: 0 }
  const stored = transcript.entries.map(({ id }) => ({ id, digest: `digest of ${id}` }))
  const acknowledged = stored.slice(0, after)
  const call = acknowledged.at(-1)?.id ?? ''
  const judged = (cut: Partial<Cut>, resumed: Partial<Resumed>) => {
    const lines: string[] = []
    const isRight = judge(
      { transcript, killPoint, kill: 'tool', acknowledged, ...cut },
      { recovered: acknowledged, unanswered: [call], added: [], isSound: true, ...resumed },
      (line) => lines.push(line),
    )
    return { isRight, text: lines.join('\n') }
  }

  test('is given in figures', () => {
    const { isRight, text } = judged({}, {})
    expect(isRight).toBe(true)
    expect(text).toContain(`acknowledged ${after} ⊆ recovered ${after} ⊆ attempted ${after}: nothing`)
  })

  test('counts the one that was being written, and only that', () => {
    const recovered = stored.slice(0, after + 1)
    const { isRight, text } = judged({ kill: 'write' }, { recovered, unanswered: [] })
    expect(isRight).toBe(true)
    expect(text).toContain(`acknowledged ${after} ⊆ recovered ${after + 1} ⊆ attempted ${after + 1}`)
    expect(judged({}, { recovered }).isRight).toBe(false)
    // Acknowledged once more, it waits: a further entry cannot be.
    const late = { kill: 'write', acknowledged: recovered } as const
    expect(judged(late, { recovered }).isRight).toBe(true)
    expect(judged(late, { recovered: stored.slice(0, after + 2) }).isRight).toBe(false)
  })

  test('needs the tool call that was cut off', () => {
    const { isRight, text } = judged({}, { unanswered: ['another'] })
    expect(isRight).toBe(false)
    expect(text).toContain('WRONG: the tool call that was cut off was not found')
  })

  test('names what is missing', () => {
    const { isRight, text } = judged({}, { recovered: acknowledged.slice(1) })
    expect(isRight).toBe(false)
    expect(text).toContain(`WRONG: entry ${acknowledged[0]?.id} was acknowledged and is missing`)
    expect(text).not.toContain('nothing acknowledged is missing')
  })
})
