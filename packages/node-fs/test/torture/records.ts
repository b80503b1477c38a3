import type { Statement } from './testimony.ts'

/** The records of one attempted append: a batch of `count`, each with so much padding. */
export function batchOf(attempt: string): readonly string[] {
  const [, , , count, padding] = attempt.split(' ')
  return Array.from({ length: Number(count) }, (_, part) =>
    JSON.stringify({ attempt, part, padding: '·'.repeat(Number(padding)) }),
  )
}

/** What {@link checkHistory} counted. */
export interface History {
  readonly attempted: number
  readonly acknowledged: number
  readonly recovered: number
}

/**
 * Holds what a log has against what its writers say: acknowledged ⊆ recovered ⊆ attempted, each batch whole and there once, each
 * acknowledged one at the index that its writer was told.
 *
 * @throws {Error} with the first ten breaches.
 */
export function checkHistory(recovered: readonly string[], statements: readonly Statement[]): History {
  const breaches: string[] = []
  const attempted = new Set(statements.flatMap((line) => ('attempt' in line ? [line.attempt] : [])))
  const places: Map<string, number> = new Map()
  for (let at = 0; at < recovered.length;) {
    const { attempt } = JSON.parse(recovered[at] ?? '') as { attempt: string }
    const batch = batchOf(attempt)
    if (!attempted.has(attempt)) breaches.push(`${at}: nobody attempted ${attempt}`)
    if (places.has(attempt)) breaches.push(`${at}: ${attempt} is at ${places.get(attempt)} already`)
    if (batch.some((text, part) => recovered[at + part] !== text)) breaches.push(`${at}: ${attempt} is not whole`)
    places.set(attempt, at)
    at += Math.max(1, batch.length)
  }
  let acknowledged = 0
  for (const line of statements) {
    if (!('acknowledged' in line)) continue
    acknowledged++
    const place = places.get(line.acknowledged)
    if (place !== line.at) breaches.push(`${line.acknowledged}: acknowledged at ${line.at}, found at ${place}`)
  }
  if (breaches.length > 0) throw new Error(`${breaches.length} breaches:\n${breaches.slice(0, 10).join('\n')}`)
  return { attempted: attempted.size, acknowledged, recovered: places.size }
}
