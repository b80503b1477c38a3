/** How much of a message a list shows. */
const PREVIEW_LENGTH = 240

/** The first code points of a text, with `…` if it goes on; never half a character. */
export function preview(text: string, length: number = PREVIEW_LENGTH): string {
  // No code point has more than two units: what is no longer than that in units needs no counting.
  if (text.length <= length) return text
  let end = 0
  for (let count = 0; count < length && end < text.length; count++)
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1
  return end < text.length ? `${text.slice(0, end)}…` : text
}
