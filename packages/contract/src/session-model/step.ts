import type * as FastCheck from 'fast-check'

/** A call on a session. Sessions, entries and turns are numbers, so that a failing run shrinks to the first of each. */
export type Call =
  | {
      readonly do: 'append'
      readonly count: number
      readonly onConflict: 'reject' | 'rebase' | 'fork'
      /** Behind which entry; undefined: the leaf, null: a new root. */
      readonly parent: number | null | undefined
      readonly leaf: 'take' | 'keep'
      readonly force: boolean
    }
  | { readonly do: 'append again'; readonly entry: number; readonly same: boolean }
  | { readonly do: 'move'; readonly target: number | null; readonly force: boolean }
  | { readonly do: 'label'; readonly entry: number }
  | { readonly do: 'fork'; readonly where: 'leaf' | 'at' | 'before'; readonly entry: number }
  | { readonly do: 'delete'; readonly force: boolean }
  | { readonly do: 'begin'; readonly from: number | null | undefined; readonly force: boolean }
  | { readonly do: 'append in turn'; readonly turn: number; readonly count: number }
  | { readonly do: 'end'; readonly turn: number; readonly how: 'complete' | 'wait' | 'fail' | 'abort' }
  | { readonly do: 'recover' }
  | { readonly do: 'release'; readonly owner: 'right' | 'wrong' }

/** One step of a run. */
export type SessionStep =
  | { readonly do: 'create'; readonly handle: number; readonly id: number }
  /** The handle's process dies when so many requests and answers have passed; infinite: it lives. */
  | {
      readonly do: 'call'
      readonly handle: number
      readonly session: number
      readonly call: Call
      readonly dies: number | undefined
    }
  | { readonly do: 'read'; readonly handle: number; readonly session: number }
  | { readonly do: 'reopen'; readonly handle: number; readonly crash: boolean }
  /** So much time passes that whoever has a turn and does not renew its lease loses it. */
  | { readonly do: 'wait' }

/** Arbitrary steps. */
export function arbitrarySessionStep(fc: typeof FastCheck, handles: number): FastCheck.Arbitrary<SessionStep> {
  const handle = fc.nat({ max: handles - 1 })
  const session = fc.nat({ max: 5 })
  const entry = fc.nat({ max: 30 })
  const count = fc.integer({ min: 1, max: 3 })
  const place = fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: entry },
    { weight: 1, arbitrary: fc.constant(null) },
  )
  const rarely = fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
  const call: FastCheck.Arbitrary<Call> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('append'),
        count,
        onConflict: fc.constantFrom('reject', 'rebase', 'fork'),
        parent: place,
        leaf: fc.constantFrom('take', 'take', 'take', 'keep'),
        force: rarely,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('append again'), entry, same: fc.boolean() }) },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('move'), target: fc.option(entry, { freq: 6 }), force: rarely }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('label'), entry }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('fork'), where: fc.constantFrom('leaf', 'at', 'before'), entry }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('delete'), force: rarely }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('begin'), from: place, force: rarely }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('append in turn'), turn: fc.nat({ max: 3 }), count }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('end'),
        turn: fc.nat({ max: 3 }),
        how: fc.constantFrom('complete', 'wait', 'fail', 'abort'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('recover') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('release'), owner: fc.constantFrom('right', 'wrong') }) },
  )
  const dies = fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.nat({ max: 12 }) },
  )
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('create'), handle, id: fc.nat({ max: 2 }) }) },
    { weight: 40, arbitrary: fc.record({ do: fc.constant('call'), handle, session, call, dies }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('read'), handle, session }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('reopen'), handle, crash: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait') }) },
  )
}
