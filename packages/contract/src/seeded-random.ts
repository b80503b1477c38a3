import type { Random } from '@sessiontree/core'

const LARGEST_SEED = 0xffff_ffff

/**
 * Makes a source of randomness that a seed determines: for fault tests that replay exactly.
 *
 * Contract
 * - Two sources with one seed give the same bytes, call for call, on every runtime. Not for secrets.
 * - A seed is a whole number from 0 to 2^32 − 1; anything else is a `TypeError`.
 */
export function seededRandom(seed: number): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed > LARGEST_SEED) {
    throw new TypeError(`seed: expected a whole number from 0 to ${LARGEST_SEED}, got ${String(seed)}`)
  }
  let state = seed
  // A counter in steps of the golden ratio, each value stirred until its bits have nothing to do with its neighbour's.
  const next = () => {
    state = (state + 0x9e37_79b9) >>> 0
    let stirred = state
    stirred = Math.imul(stirred ^ (stirred >>> 16), 0x85eb_ca6b)
    stirred = Math.imul(stirred ^ (stirred >>> 13), 0xc2b2_ae35)
    return (stirred ^ (stirred >>> 16)) >>> 24
  }
  return { bytes: (length) => Uint8Array.from({ length }, next) }
}
