/** Checks that a text is there and not only white space; it is kept as it is. */
export function checkText(value: unknown, what: string): string {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new TypeError(`${what}: expected a text that is not blank, got ${shown(value)}`)
  }
  return value
}

/** Checks one word of a closed list. */
export function checkWord<Word extends string>(value: unknown, words: readonly Word[], what: string): Word {
  if (!words.includes(value as Word)) {
    throw new TypeError(`${what}: ${shown(value)} is none of ${words.join(', ')}`)
  }
  return value as Word
}

/** Checks a whole number from 0; undefined and null pass as null. */
export function checkCount(value: unknown, what: string): number | null {
  if (value === undefined || value === null) return null
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new TypeError(`${what}: expected a whole number from 0, got ${shown(value)}`)
  }
  return value as number
}

const shown = (value: unknown) => (typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value))
