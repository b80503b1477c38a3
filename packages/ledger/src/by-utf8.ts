/** Compares two texts by the bytes of their UTF-8, which is the order of their code points. */
export function byUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (one === other) continue
    // Halves of a surrogate pair stand for what comes behind all other units.
    const isPair = (unit: number) => unit >= 0xd800 && unit < 0xe000
    return isPair(one) === isPair(other) ? one - other : isPair(one) ? 1 : -1
  }
  return a.length - b.length
}
