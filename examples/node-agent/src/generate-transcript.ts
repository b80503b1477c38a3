import { xorshift32 } from './xorshift32.ts'

/** Options of {@link generateTranscript}. */
export interface GenerateOptions {
  /** The same seed gives the same text. */
  readonly seed?: number
  /** pi's session version: 3 is a tree, 1 the same conversation without ids and branches. */
  readonly version?: 1 | 3
}

interface Line {
  readonly type: string
  readonly id: string
  readonly parentId: string | null
  readonly timestamp: string
  readonly [field: string]: unknown
}

const START = Date.UTC(2026, 2, 29, 0, 55)
const VERSION_1_TYPES = new Set(['message', 'model_change', 'thinking_level_change', 'compaction'])
const MODEL = { provider: 'example', modelId: 'model-1' }

const FILES = ['src/clock.ts', 'src/schedule.ts', 'test/schedule.test.ts', 'src/zone.ts']
const QUESTIONS = [
  'Does that hold in Reykjavík, where the clocks never change?',
  'Add a test for the hour that exists twice in autumn 🍂',
  'Which callers still pass local time?',
  '中文和日本語のログも正しく表示されますか？',
]
const ANSWERS = [
  'Every caller hands over an instant now; the zone is looked up once, at the edge.',
  'Added. It fails without the change and passes with it ✅',
  'Two are left, both in the report; they only print.',
  'Yes: widths are counted by character, not by byte 👩‍👩‍👧‍👦.',
]

/**
 * Writes a session file as the pi coding agent does: about forty entries, tool calls with results, a branch that was given up, a
 * compaction, and texts that are not ASCII. Deterministic.
 */
export function generateTranscript(options: GenerateOptions = {}): string {
  const { seed = 1, version = 3 } = options
  const draft = new Draft(seed)
  const header = {
    type: 'session',
    id: draft.uuid(),
    timestamp: new Date(START).toISOString(),
    cwd: '/home/user/clock',
  }
  draft.add('model_change', { ...MODEL })
  draft.add('thinking_level_change', { thinkingLevel: 'low' })
  const question = draft.say('Why does test/schedule.test.ts fail since Sunday? 🕰️')
  draft.readFiles(2)
  draft.answer('The suite builds its dates from local time, and an hour is missing since Sunday.')

  // The first attempt, given up.
  draft.say('Then pin the zone of the test run.')
  draft.runTool('edit', { path: 'package.json', text: 'TZ=UTC vitest run' }, 'edited 1 line')
  draft.runTool('bash', { command: 'pnpm test' }, '1 failed, 11 passed\n\u001b[31mExpected 02:30, got 03:30\u001b[39m')
  const givenUp = draft.answer('Pinning hides it: the schedule itself is wrong between two and three.')

  draft.moveTo(question)
  draft.add('branch_summary', { fromId: givenUp, summary: 'Pinning the time zone of the tests only hid the bug.' })
  draft.say('Fix the schedule instead: keep instants, convert at the edge.')
  draft.readFiles(3)
  draft.runTool('edit', { path: 'src/schedule.ts', text: 'const at = instant.toZoned(zone)' }, 'edited 3 lines')
  draft.add('message', {
    message: { role: 'bashExecution', command: 'pnpm test', output: '12 passed\n', exitCode: 0, cancelled: false },
  })
  const fixed = draft.answer('Fixed. All twelve pass, also with TZ=America/New_York.')
  draft.add('label', { targetId: fixed, label: 'fixed 🎉' })
  const kept = draft.say('Good. What else reads the clock?')
  draft.readFiles(2)
  draft.answer('Only the report, through src/clock.ts.')
  draft.add('compaction', {
    summary: '## Goal\nInstants instead of local time.\n## Done\nSchedule and its tests.',
    firstKeptEntryId: kept,
    tokensBefore: 48_211,
  })
  for (const [i, text] of QUESTIONS.entries()) {
    draft.say(text)
    draft.answer(ANSWERS[i] as string)
  }
  draft.add('session_info', { name: 'Schedule fails after the clock change' })
  draft.say('Thanks! 🙏')
  draft.answer('You are welcome.')
  return version === 3 ? treeText(header, draft.lines) : linearText(header, draft.lines)
}

const text = (lines: readonly object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

const treeText = ({ type, ...header }: { type: string }, lines: readonly Line[]) =>
  text([{ type, version: 3, ...header }, ...lines])

function linearText(header: object, lines: readonly Line[]): string {
  const kept = lines.filter(({ type }) => VERSION_1_TYPES.has(type))
  const linear = kept.map(({ id: _id, parentId: _parentId, firstKeptEntryId, ...line }) => {
    if (firstKeptEntryId === undefined) return line
    // The header is line 0.
    return { ...line, firstKeptEntryIndex: kept.findIndex(({ id }) => id === firstKeptEntryId) + 1 }
  })
  return text([{ ...header, ...MODEL, thinkingLevel: 'low' }, ...linear])
}

/** A session file in the making: the next line is the child of the one before it. */
class Draft {
  readonly lines: Line[] = []
  readonly #fraction: () => number
  #leaf: string | null = null
  #time = START

  constructor(seed: number) {
    this.#fraction = xorshift32(seed)
  }

  add(type: string, fields: { readonly [field: string]: unknown }): string {
    const id = this.#hex(8)
    this.#time += 400 + Math.floor(this.#fraction() * 20_000)
    this.lines.push({ type, id, parentId: this.#leaf, timestamp: new Date(this.#time).toISOString(), ...fields })
    this.#leaf = id
    return id
  }

  moveTo(id: string): void {
    this.#leaf = id
  }

  say(words: string): string {
    return this.add('message', { message: { role: 'user', content: [{ type: 'text', text: words }] } })
  }

  answer(words: string): string {
    return this.#assistant([{ type: 'text', text: words }], 'stop')
  }

  runTool(name: string, given: object, result: string): void {
    const id = `call_${this.#hex(12)}`
    this.#assistant([{ type: 'toolCall', id, name, arguments: given }], 'toolUse')
    const content = [{ type: 'text', text: result }]
    this.add('message', { message: { role: 'toolResult', toolCallId: id, toolName: name, content, isError: false } })
  }

  readFiles(count: number): void {
    for (let i = 0; i < count; i++) {
      const path = FILES[Math.floor(this.#fraction() * FILES.length)] as string
      const lines = 10 + Math.floor(this.#fraction() * 30)
      const code = Array.from(
        { length: lines },
        (_, line) => `${line + 1}\texport const value${line} = ${this.#hex(4)}n`,
      )
      this.runTool('read', { path }, code.join('\n'))
    }
  }

  uuid(): string {
    return [8, 4, 4, 4, 12].map((digits) => this.#hex(digits)).join('-')
  }

  #assistant(content: readonly object[], stopReason: string): string {
    const usage = { input: 900 + Math.floor(this.#fraction() * 4000), output: 20 + Math.floor(this.#fraction() * 300) }
    return this.add('message', {
      message: { role: 'assistant', content, provider: MODEL.provider, model: MODEL.modelId, usage, stopReason },
    })
  }

  #hex(digits: number): string {
    return Array.from({ length: digits }, () => Math.floor(this.#fraction() * 16).toString(16)).join('')
  }
}
