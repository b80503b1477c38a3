import type { JSX } from 'preact'

const LINK = /https?:\/\/[^\s<>"'`]+[^\s<>"'`.,;:!?)\]}]/gi

/** Text from a transcript: text nodes only, and links for http(s) addresses. Nothing in it is ever taken for markup. */
export function SafeText({ text }: { readonly text: string }): JSX.Element {
  const parts: (string | JSX.Element)[] = []
  let end = 0
  for (const found of text.matchAll(LINK)) {
    const [address] = found
    if (!URL.canParse(address)) continue
    parts.push(
      text.slice(end, found.index),
      <a key={found.index} href={address} target="_blank" rel="noopener noreferrer nofollow">
        {address}
      </a>,
    )
    end = found.index + address.length
  }
  return <span class="text">{[...parts, text.slice(end)]}</span>
}
