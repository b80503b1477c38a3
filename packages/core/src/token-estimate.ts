import type { MessageParts } from './message-format.ts'
import { asText } from './formats/content-parts.ts'

/** What a message costs beside its texts. */
const MESSAGE_TOKENS = 8
/** What an image or file costs: about what providers charge for a picture of a megapixel. */
const ATTACHMENT_TOKENS = 1_200

/**
 * Estimates the tokens of a text, on the high side: of the trimmed text a third of the ASCII characters, rounded up, and one for each other
 * code point.
 */
export function estimateTokens(text: string): number {
  const trimmed = text.trim()
  let ascii = 0
  let others = 0
  for (let i = 0; i < trimmed.length; i++) {
    const unit = trimmed.charCodeAt(i)
    if (unit < 0x80) {
      ascii++
      continue
    }
    others++
    if (isPair(unit, trimmed.charCodeAt(i + 1))) i++
  }
  return Math.ceil(ascii / 3) + others
}

const isPair = (high: number, low: number) => high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000

/**
 * Estimates the tokens of a message: of its text, and of the name, arguments and id of each call, and of each result; 8 for the message itself and
 * 1,200 for each image or file. Reasoning does not count.
 */
export function estimateMessageTokens({ text, calls, results, attachments }: MessageParts, kind = ''): number {
  let tokens = MESSAGE_TOKENS + estimateTokens(kind) + estimateTokens(text) + ATTACHMENT_TOKENS * attachments.length
  for (const { id = '', name, input } of calls) {
    tokens += estimateTokens(id) + estimateTokens(name) + estimateTokens(asText(input))
  }
  for (const { callId = '', text: output } of results) tokens += estimateTokens(callId) + estimateTokens(output)
  return tokens
}
