/** How many records a worker that will be terminated appends at once. */
export const BATCH = 16

/** A batch that takes long enough to be written to be cut off: each record bears its index. */
export function numbered(at: number): readonly string[] {
  return Array.from({ length: BATCH }, (_, i) => JSON.stringify({ at: at + i, text: 'x'.repeat(50_000) }))
}
