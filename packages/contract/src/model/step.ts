import type * as FastCheck from 'fast-check'

/** One step of a model run. Names, handles and records are numbers, so that a failing run shrinks to the smallest of each. */
export type Step =
  | { readonly do: 'append'; readonly handle: number; readonly log: number; readonly records: readonly number[] }
  | { readonly do: 'append wrongly'; readonly handle: number; readonly log: number; readonly by: number }
  | ReadStep
  | { readonly do: 'drop'; readonly handle: number; readonly log: number; readonly forget: boolean }
  | { readonly do: 'get'; readonly handle: number; readonly key: number }
  | PutStep
  | RemoveStep
  | ListStep
  | { readonly do: 'reopen'; readonly handle: number }

export interface ReadStep {
  readonly do: 'read'
  readonly handle: number
  readonly log: number
  readonly from: number | undefined
  readonly to: number | undefined
  readonly limit: number | undefined
  readonly reverse: boolean
  readonly readAhead: number | undefined
}

export interface PutStep {
  readonly do: 'put'
  readonly handle: number
  readonly key: number
  /** Which text. */
  readonly value: number
  /** Whether it expects what is there, that there is nothing, or a version from before. */
  readonly expect: 'current' | 'absent' | 'old'
}

export interface RemoveStep {
  readonly do: 'remove'
  readonly handle: number
  readonly key: number
  readonly expect: 'current' | 'old' | 'any'
  readonly forget: boolean
}

export interface ListStep {
  readonly do: 'list'
  readonly handle: number
  readonly what: 'logs' | 'keys'
  readonly prefix: number
  readonly after: number | undefined
  readonly limit: number | undefined
}

/** Names that a careless store takes for one another. */
export const NAMES: readonly string[] = ['a', 'a/b', 'a-b', 'a.b', 'a/b/c', 'a0', 'b', 'a~']
export const PREFIXES: readonly string[] = ['', 'a', 'a/b', 'b', 'c']

/** Texts that a careless store changes; the large one is more than most fetch in one go. */
const TEXTS: readonly string[] = [
  '1',
  '{"text":"é \u2028 😀"}',
  '"\u0000"',
  '{"__proto__":null}',
  '""',
  `"${'large '.repeat(30_000)}"`,
]

/** The text of a record or value: `serial` makes it differ from every other one. */
export function textOf(kind: number, serial: number): string {
  return `[${serial},${TEXTS[kind] ?? 'null'}]`
}

/** Arbitrary steps, small ones first. */
export function arbitraryStep(fc: typeof FastCheck, handles: number): FastCheck.Arbitrary<Step> {
  const handle = fc.nat({ max: handles - 1 })
  const name = fc.nat({ max: NAMES.length - 1 })
  // A large text now and then, not in every run.
  const text = fc.oneof(
    { weight: 20, arbitrary: fc.nat({ max: TEXTS.length - 2 }) },
    { weight: 1, arbitrary: fc.constant(TEXTS.length - 1) },
  )
  const index = fc.option(fc.nat({ max: 40 }), { nil: undefined })
  const limit = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined })
  const records = fc.array(text, { minLength: 1, maxLength: 5 })
  return fc.oneof(
    { weight: 30, arbitrary: fc.record({ do: fc.constant('append'), handle, log: name, records }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('append wrongly'),
        handle,
        log: name,
        by: fc.integer({ min: -6, max: 6 }).filter((by) => by !== 0),
      }),
    },
    {
      weight: 18,
      arbitrary: fc.record({
        do: fc.constant('read'),
        handle,
        log: name,
        from: index,
        to: index,
        limit,
        reverse: fc.boolean(),
        readAhead: fc.constantFrom(undefined, 0, 100, 1_000_000),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('drop'), handle, log: name, forget: fc.boolean() }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('get'), handle, key: name }) },
    {
      weight: 16,
      arbitrary: fc.record({
        do: fc.constant('put'),
        handle,
        key: name,
        value: text,
        expect: fc.constantFrom('current', 'absent', 'old'),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('remove'),
        handle,
        key: name,
        expect: fc.constantFrom('current', 'old', 'any'),
        forget: fc.boolean(),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('list'),
        handle,
        what: fc.constantFrom('logs', 'keys'),
        prefix: fc.nat({ max: PREFIXES.length - 1 }),
        after: fc.option(name, { nil: undefined }),
        limit,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('reopen'), handle }) },
  )
}
