/** How deep a value may nest: the value itself is level 1. */
export const MAX_DEPTH: number = 256

/**
 * Returns the canonical JSON of a value: RFC 8785 with one deviation, a lone surrogate is written as `\udxxx`.
 *
 * Contract
 * - Object keys ascend by UTF-16 code unit, `__proto__` like any other; numbers as ECMAScript prints them, so -0 is 0.
 * - Properties that are `undefined` are left out.
 * - Anything that would not come back deep-equal from JSON is a `TypeError` that names its path: bytes, Date, Map, NaN, bigint,
 *   functions, symbols, holes and `undefined` in arrays, class instances, cycles, more than {@link MAX_DEPTH} levels.
 *
 * Source: https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalJson(value: unknown): string {
  return write(value, [], [])
}

type Path = (string | number)[]

function write(value: unknown, path: Path, ancestors: object[]): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw refusal(path, String(value))
      return JSON.stringify(value)
    case 'object':
      break
    default:
      throw refusal(path, typeof value)
  }
  if (value === null) return 'null'
  if (ancestors.length >= MAX_DEPTH) throw refusal(path, `nested deeper than ${MAX_DEPTH} levels`)
  if (ancestors.includes(value)) throw refusal(path, 'a cycle')
  ancestors.push(value)
  const text = Array.isArray(value) ? writeArray(value, path, ancestors) : writeObject(value, path, ancestors)
  ancestors.pop()
  return text
}

function writeArray(array: readonly unknown[], path: Path, ancestors: object[]): string {
  // Holes and named properties would be lost.
  if (Object.keys(array).length !== array.length) throw refusal(path, 'an array with holes or properties of its own')
  const items: string[] = []
  for (let i = 0; i < array.length; i++) {
    path.push(i)
    items.push(write(array[i], path, ancestors))
    path.pop()
  }
  return `[${items.join(',')}]`
}

function writeObject(object: object, path: Path, ancestors: object[]): string {
  if (!isPlain(object)) throw refusal(path, `a ${object.constructor?.name ?? 'class instance'}`)
  if (Object.getOwnPropertySymbols(object).length > 0) throw refusal(path, 'an object with symbol keys')
  const members: string[] = []
  for (const [key, member] of Object.entries(object).toSorted(byCodeUnit)) {
    if (member === undefined) continue
    path.push(key)
    members.push(`${JSON.stringify(key)}:${write(member, path, ancestors)}`)
    path.pop()
  }
  return `{${members.join(',')}}`
}

const byCodeUnit = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0)

// A prototype that has none itself is Object.prototype, of this realm or of another (a frame, a vm context), or a fake.
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype === null || prototype === Object.prototype) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
}

function refusal(path: Path, what: string): TypeError {
  const where = path.length === 0 ? 'the value' : path.map((key) => `[${JSON.stringify(key)}]`).join('')
  return new TypeError(
    `${where} is ${what}, which JSON cannot keep; convert it first, or let a message format encode it`,
  )
}

/**
 * Whether a JSON text nests at most `levels` deep; looked at before `JSON.parse`, so that hostile text meets no recursion.
 */
export function nestsAtMost(text: string, levels: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (inString) {
      if (unit === BACKSLASH) i++
      else if (unit === QUOTE) inString = false
    } else if (unit === QUOTE) {
      inString = true
    } else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++depth > levels) return false
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      depth--
    }
  }
  return true
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
