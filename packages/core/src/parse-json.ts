/**
 * Parses a JSON text like `JSON.parse`, but right in every runtime: V8 13 and 14 (Node 24 and 26) take an object's key that has an
 * escape (`"\n"`, `"a\"b"`) for another one that they parsed before. Such a text is walked here instead.
 *
 * Source: https://github.com/nodejs/node/issues/63785
 */
export function parseJson(text: string): unknown {
  // Also says whether it is JSON, so that the walk may trust it.
  const parsed: unknown = JSON.parse(text)
  return hasEscapedKey(text) ? new Walk(text).value() : parsed
}

function hasEscapedKey(text: string): boolean {
  for (let escape = text.indexOf('\\'); escape >= 0;) {
    const end = endOfString(text, escape)
    if (text.charCodeAt(skipSpace(text, end + 1)) === COLON) return true
    escape = text.indexOf('\\', end + 1)
  }
  return false
}

const COLON = 0x3a
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The index of the quote that ends a string, from any index inside it that is not behind a backslash. */
function endOfString(text: string, inside: number): number {
  let at = inside
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1
  return at
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) <= 0x20) at++
  return at
}

class Walk {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): unknown {
    switch (this.#next()) {
      case '{':
        // fromEntries defines properties instead of assigning them: `__proto__` stays a key.
        return Object.fromEntries(this.#items('}', () => [this.#string(), this.#afterColon()] as const))
      case '[':
        return this.#items(']', () => this.value())
      case '"':
        return this.#string()
      default:
        return this.#literal()
    }
  }

  #next(): string {
    this.#at = skipSpace(this.#text, this.#at)
    return this.#text.charAt(this.#at)
  }

  #items<Item>(close: string, item: () => Item): Item[] {
    const items: Item[] = []
    this.#at++
    while (this.#next() !== close) {
      if (this.#next() === ',') this.#at++
      this.#next()
      items.push(item())
    }
    this.#at++
    return items
  }

  #string(): string {
    const end = endOfString(this.#text, this.#at + 1)
    const token = this.#text.slice(this.#at, end + 1)
    this.#at = end + 1
    return JSON.parse(token) as string
  }

  #afterColon(): unknown {
    this.#next()
    this.#at++
    return this.value()
  }

  #literal(): unknown {
    const start = this.#at
    while (this.#at < this.#text.length && !',]}'.includes(this.#text.charAt(this.#at))) this.#at++
    return JSON.parse(this.#text.slice(start, this.#at))
  }
}
