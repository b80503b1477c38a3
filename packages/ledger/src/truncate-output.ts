import { utf8Length } from '@sessiontree/core'

/** Cuts a text to so many bytes of UTF-8, never inside a character; says whether it did. */
export function truncateOutput(
  text: string,
  bytes: number,
): { readonly output: string; readonly output_truncated?: true } {
  if (utf8Length(text) <= bytes) return { output: text }
  let size = 0
  let output = ''
  for (const character of text) {
    size += utf8Length(character)
    if (size > bytes) break
    output += character
  }
  return { output, output_truncated: true }
}
