import { randomFraction, SessionError, sleep, type Clock, type Random, type StorageAdapter } from '@sessiontree/core'
import { intercept, isWrite, settle, unsettle, type Operation, type StoreCall } from './intercept.ts'
import { seededRandom } from './seeded-random.ts'

/**
 * What can go wrong. Of a write:
 * - `refused`: the store is never asked; `BUSY` or `IO`, written "no".
 * - `unsent`: the request gets lost; `UNCERTAIN`, and nothing was written.
 * - `lost`: the answer gets lost, whatever it was; `UNCERTAIN`.
 * - `late`: `UNCERTAIN` now; the request arrives with one of the next calls, and finds what it finds then.
 *
 * Of a read, a listing or a `get`, at any step:
 * - `unread`: the store does not answer; `UNAVAILABLE`.
 */
export type FaultKind = 'refused' | 'unsent' | 'lost' | 'late' | 'unread'

/** A fault that was injected. */
export interface Fault extends StoreCall {
  /** The number of the call among all calls and steps of this adapter, from 1. */
  readonly call: number
  readonly kind: FaultKind
}

/** Options of {@link faulty}. */
export interface FaultyOptions {
  /** A whole number from 0 to 2^32 − 1. */
  readonly seed: number
  /** How often each fault happens, from 0 to 1; those of a write are at most 1 together. What is left out never happens; without `rates` each write fault has 0.05, `unread` 0.02. */
  readonly rates?: Readonly<Partial<Record<FaultKind, number>>>
  /** Lets each request and each answer take from 0 to `atMost` milliseconds of this clock, so that calls overtake one another. */
  readonly latency?: { readonly clock: Clock; readonly atMost: number }
}

/** A faulty adapter and what it did. */
export interface Faulty {
  readonly adapter: StorageAdapter
  /** Every fault so far, in the order of the calls. */
  readonly faults: readonly Fault[]
  /** Lets every late request arrive now; resolves when the store has settled them. */
  readonly land: () => Promise<void>
}

const WRITE_FAULTS = ['refused', 'unsent', 'lost', 'late'] as const
const DEFAULT_RATES: Readonly<Record<FaultKind, number>> = {
  refused: 0.05,
  unsent: 0.05,
  lost: 0.05,
  late: 0.05,
  unread: 0.02,
}
/** A late request arrives with one of this many next calls. */
const LATEST = 4

/**
 * Wraps an adapter so that its calls fail as those of a network or a disk do, by a seed.
 *
 * Contract
 * - Keeps the contract of adapters: an error says `written: "no"` only if the call had no effect and never will.
 * - The same seed and the same calls in the same order meet the same faults.
 * - A late request arrives at the latest before `close` resolves. It is handed to the store once, with the arguments of its call.
 * - With all rates 0 it passes everything on unchanged: the contract suite passes through it.
 *
 * @throws {TypeError} for a seed or a rate that is out of bounds.
 *
 * @example
 * const { adapter, faults } = faulty(memory({ store }), { seed: 7, rates: { lost: 0.2, late: 0.2 } })
 */
export function faulty(adapter: StorageAdapter, options: FaultyOptions): Faulty {
  const rates = checkedRates(options.rates)
  const random = seededRandom(options.seed)
  const { latency } = options
  const faults: Fault[] = []
  const late = new Set<LateRequest>()
  const landing = new Set<Promise<unknown>>()
  let calls = 0

  const arrive = (request: LateRequest) => {
    late.delete(request)
    const running = settle(request.send())
    landing.add(running)
    void running.then(() => landing.delete(running))
  }
  const land = async () => {
    for (const request of late) arrive(request)
    await Promise.all(landing)
  }
  const travel = async (fraction: number) => {
    if (latency) await sleep(latency.clock, fraction * latency.atMost)
  }

  const wrapped = intercept(
    adapter,
    async (call, send) => {
      const number = ++calls
      // As many draws for each call, whatever happens to it: faults depend on the seed and the calls alone.
      const [which, detail, there, back] = fractions(random)
      for (const request of late) if (--request.callsLeft === 0) arrive(request)
      const kind = chooseFault(call.operation, which, rates)
      if (kind) faults.push({ call: number, kind, ...call })
      await travel(there)
      switch (kind) {
        case 'refused':
          throw refusal(call, detail)
        case 'unread':
          throw new SessionError('UNAVAILABLE', `An injected fault: no answer to ${call.operation} of ${call.name}.`)
        case 'unsent':
          throw uncertain(call)
        case 'late':
          late.add({ send, callsLeft: 1 + Math.floor(detail * LATEST) })
          throw uncertain(call)
        case 'lost':
          await settle(send())
          await travel(back)
          throw uncertain(call)
        case undefined: {
          const settled = await settle(send())
          await travel(back)
          return unsettle(settled)
        }
      }
    },
    land,
  )
  return { adapter: wrapped, faults, land }
}

interface LateRequest {
  readonly send: () => Promise<unknown>
  callsLeft: number
}

function checkedRates(given: FaultyOptions['rates'] = DEFAULT_RATES): Readonly<Record<FaultKind, number>> {
  const rates = { ...NO_FAULTS, ...given }
  for (const [kind, rate] of Object.entries(rates)) {
    if (!Object.hasOwn(NO_FAULTS, kind)) throw new TypeError(`rates.${kind}: there is no such fault`)
    if (!(rate >= 0 && rate <= 1)) throw new TypeError(`rates.${kind}: expected a number from 0 to 1, got ${rate}`)
  }
  const together = WRITE_FAULTS.reduce((sum, kind) => sum + rates[kind], 0)
  // The sum of decimal fractions may be a hair above 1.
  if (together > 1 + 1e-9) throw new TypeError(`rates: those of a write are ${together} together, at most 1`)
  return rates
}

const NO_FAULTS: Readonly<Record<FaultKind, number>> = { refused: 0, unsent: 0, lost: 0, late: 0, unread: 0 }

function fractions(random: Random): readonly [number, number, number, number] {
  return [randomFraction(random), randomFraction(random), randomFraction(random), randomFraction(random)]
}

function chooseFault(
  operation: Operation,
  fraction: number,
  rates: Readonly<Record<FaultKind, number>>,
): FaultKind | undefined {
  let left = fraction
  for (const kind of isWrite(operation) ? WRITE_FAULTS : (['unread'] as const)) {
    left -= rates[kind]
    if (left < 0) return kind
  }
  return undefined
}

function refusal({ operation, name }: StoreCall, fraction: number): SessionError {
  const message = `An injected fault: ${operation} of ${name} was refused.`
  return new SessionError(fraction < 0.5 ? 'BUSY' : 'IO', message)
}

function uncertain({ operation, name }: StoreCall): SessionError {
  return new SessionError('UNCERTAIN', `An injected fault: whether ${operation} of ${name} took effect is unknown.`)
}
