import type { Acknowledged } from './acknowledge.ts'
import { visible } from './preview.ts'

/**
 * Compares what a killed process had acknowledged with what another one found: acknowledged ⊆ recovered ⊆ attempted. Returns a line for
 * whatever is wrong.
 *
 * Contract
 * - Every acknowledged entry is there once, in its place, with the digest that it was acknowledged with.
 * - Behind them there may be the one that was under way (`attempted`, undefined if there was none left) and nothing else.
 */
export function checkRecovery(
  acknowledged: readonly Acknowledged[],
  recovered: readonly Acknowledged[],
  attempted: string | undefined,
): string[] {
  const found = new Map(recovered.map((entry) => [entry.id, entry]))
  const known = new Set(acknowledged.map(({ id }) => id))
  const problems = acknowledged.flatMap(({ id, digest }) => {
    const entry = found.get(id)
    if (!entry) return [`entry ${visible(id)} was acknowledged and is missing`]
    return entry.digest === digest ? [] : [`entry ${visible(id)} does not have the digest that was acknowledged`]
  })
  for (const [i, { id }] of recovered.entries()) {
    if (id === acknowledged[i]?.id || (i === acknowledged.length && id === attempted)) continue
    if (known.has(id)) problems.push(`entry ${visible(id)} is not in its place, or there twice`)
    else if (id !== attempted) problems.push(`entry ${visible(id)} is there and was never begun`)
    else problems.push(`entry ${visible(id)}, which was under way, is not the last one`)
  }
  return problems
}
