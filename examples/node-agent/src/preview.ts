import { isMessageEntry, type Entry } from '@sessiontree/core'
import { partsOf, textOf, type PiMessage } from './pi-format.ts'

// Far more than fits a line, far less than a message may hold.
const LOOKED_AT = 2000
// A family of four with skin tones has eleven; a letter with a thousand accents is no text.
const MOST_CODE_POINTS = 16
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6])/u
// Controls, lone surrogates, line separators, and invisible format characters, which can reorder or hide text, but for the joiners.
const HOSTILE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Makes a text safe for one line of a terminal: white space becomes one space, anything that could steer the terminal its escape. */
export function visible(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(HOSTILE, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
}

/** Cuts a text to at most so many columns, with `…` in place of what is left out; never inside a character. */
export function clip(text: string, columns: number): string {
  let used = 0
  let fitting = ''
  for (const { segment } of graphemes.segment(text)) {
    used += columnsOf(segment)
    if (used > columns) return `${fitting}…`
    if (used < columns) fitting += segment
  }
  return text
}

/** How many columns of a terminal a text takes. */
export function width(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += columnsOf(segment)
  return columns
}

const columnsOf = (grapheme: string) => (WIDE.test(grapheme) ? 2 : 1)

/** The beginning of a text, safe for one line of a terminal. */
export function preview(text: string, columns: number): string {
  const beginning = text.slice(0, LOOKED_AT)
  // The cut may have gone through a surrogate pair.
  const whole = beginning.length < text.length ? beginning.replace(/[\ud800-\udbff]$/, '') : beginning
  const safe = visible(whole.trim())
  const tame = [...graphemes.segment(safe)].map(({ segment }) =>
    segment.length > MOST_CODE_POINTS && Array.from(segment).length > MOST_CODE_POINTS ? '\ufffd' : segment,
  )
  return clip(beginning.length < text.length ? `${tame.join('')}…` : tame.join(''), columns)
}

/** What an entry says, in words. */
export function summaryOf(entry: Entry<PiMessage>): string {
  if (isMessageEntry(entry)) return messageSummary(entry.message)
  switch (entry.type) {
    case 'compaction':
    case 'branch_summary':
      return entry.summary
    case 'model_change':
      return `${entry.provider}/${entry.model}`
    case 'turn_marker':
      return entry.status
    case 'custom':
      return `${entry.name} ${JSON.stringify(entry.data)}`
    default:
      return ''
  }
}

function messageSummary({ content, toolName, errorMessage }: PiMessage): string {
  const calls = partsOf(content).filter(({ type }) => type === 'toolCall')
  if (calls.length > 0)
    return calls.map(({ name, arguments: given }) => `${String(name)} ${JSON.stringify(given)}`).join(', ')
  const text = textOf(content)
  if (typeof toolName === 'string') return `${toolName}: ${text}`
  if (text !== '') return text
  if (typeof errorMessage === 'string') return `(${errorMessage})`
  return '(no text)'
}
