/** A broken promise: what was expected and what was seen. Test runners show the difference of the two. */
export class AssertionError extends Error {
  readonly actual: unknown
  readonly expected: unknown

  constructor(message: string, actual: unknown, expected: unknown) {
    super(message)
    this.name = 'AssertionError'
    this.actual = actual
    this.expected = expected
  }
}

/** Throws an {@link AssertionError} unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message, condition, true)
}

/** Throws an {@link AssertionError} that names the first difference unless both are deeply equal. */
export function assertEqual(actual: unknown, expected: unknown, message: string): void {
  const found = difference(actual, expected)
  if (!found) return
  const where = found.path === '' ? '' : ` at ${found.path}`
  const text =
    lengthDifference(actual, expected, message) ??
    `${message}: expected ${excerpt(found.expected)}${where}, got ${excerpt(found.actual)}`
  throw isShort(actual) && isShort(expected)
    ? new AssertionError(text, actual, expected)
    : new AssertionError(text, excerpt(found.actual), excerpt(found.expected))
}

interface Difference {
  readonly path: string
  readonly actual: unknown
  readonly expected: unknown
}

/**
 * Finds the first difference of two values, or nothing if they are deeply equal: primitives by `Object.is`, arrays and plain
 * objects by their own enumerable string keys, everything else by identity.
 */
export function difference(actual: unknown, expected: unknown, path = ''): Difference | undefined {
  if (Object.is(actual, expected)) return undefined
  if (typeof actual === 'string' && typeof expected === 'string') return textDifference(actual, expected, path)
  const whole = { path, actual, expected }
  if (!isPlain(actual) || !isPlain(expected) || Array.isArray(actual) !== Array.isArray(expected)) return whole
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    if (!Object.hasOwn(actual, key) || !Object.hasOwn(expected, key)) return { ...whole, path: `${path}[${key}]` }
    const inner = difference(actual[key], expected[key], `${path}[${key}]`)
    if (inner) return inner
  }
  return undefined
}

/** Of two lists that are equal as far as both go, what is missing or too much says more than a pair of values. */
function lengthDifference(actual: unknown, expected: unknown, message: string): string | undefined {
  if (!Array.isArray(actual) || !Array.isArray(expected) || actual.length === expected.length) return undefined
  const common = Math.min(actual.length, expected.length)
  if (difference(actual.slice(0, common), expected.slice(0, common))) return undefined
  const [what, beyond] = actual.length < expected.length ? ['missing', expected[common]] : ['too much', actual[common]]
  return `${message}: expected ${counted(expected)}, got ${actual.length}; first ${what}: index ${common}, ${excerpt(beyond)}`
}

const counted = ({ length }: readonly unknown[]) => (length === 1 ? '1 element' : `${length} elements`)

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const CONTEXT = 20
const SHORT_TEXT = 200

// Of two long texts only the neighbourhood of the first difference is worth reading.
function textDifference(actual: string, expected: string, path: string): Difference {
  if (actual.length <= SHORT_TEXT && expected.length <= SHORT_TEXT) return { path, actual, expected }
  let at = 0
  while (actual[at] === expected[at]) at++
  const near = (text: string) =>
    `… ${text.slice(Math.max(0, at - CONTEXT), at + CONTEXT)} … (${text.length} characters)`
  return { path: `${path} character ${at}`, actual: near(actual), expected: near(expected) }
}

function excerpt(value: unknown): string {
  // JSON has no word for undefined, and none for a number that is not finite.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value)
  return text.length <= SHORT_TEXT * 2 ? text : `${text.slice(0, SHORT_TEXT * 2)} … (${text.length} characters)`
}

function isShort(value: unknown): boolean {
  return JSON.stringify(value ?? null).length <= SHORT_TEXT * 10
}
