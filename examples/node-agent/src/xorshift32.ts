/** Marsaglia's xorshift32: numbers in [0, 1) that a seed decides. */
export function xorshift32(seed: number): () => number {
  // Zero would stay zero.
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
