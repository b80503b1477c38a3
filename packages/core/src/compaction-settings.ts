/** When to compact, and how much to keep. All in tokens but `threshold`. */
export interface CompactionSettings {
  /** What the model takes in and puts out together. Default: 256,000. */
  readonly contextWindow?: number
  /** What of it is kept free for the answer. Default: 64,000. */
  readonly outputTokens?: number
  /** The part of the rest that may be used before a compaction is due. Default: 0.9. */
  readonly threshold?: number
  /** What the context may cost after a compaction. Default: 50,000. */
  readonly targetTokens?: number
  /** The longest summary. Default: 20,000. */
  readonly summaryTokens?: number
  /** How much of the newest messages is kept. Default: 12,000. */
  readonly tailTokens?: number
  /** How much of the user's older messages is kept word for word. Default: 15,000. */
  readonly userTokens?: number
  /** What the checkpoint costs beside the summary and the user's messages. Default: 2,000. */
  readonly overheadTokens?: number
}

const DEFAULTS: Required<CompactionSettings> = {
  contextWindow: 256_000,
  outputTokens: 64_000,
  threshold: 0.9,
  targetTokens: 50_000,
  summaryTokens: 20_000,
  tailTokens: 12_000,
  userTokens: 15_000,
  overheadTokens: 2_000,
}

/**
 * Checks settings and fills in their defaults.
 *
 * @throws {TypeError} for what is no number from 0, and for settings that contradict one another.
 */
export function compactionSettings(settings: CompactionSettings = {}): Required<CompactionSettings> {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined)
  const all = { ...DEFAULTS, ...(Object.fromEntries(given) as CompactionSettings) }
  for (const [name, value] of Object.entries(all)) {
    if (!Number.isFinite(value) || value < 0)
      throw new TypeError(`${name}: expected a number from 0, got ${String(value)}`)
  }
  if (all.threshold > 1) throw new TypeError(`threshold: expected a part of 1, got ${all.threshold}`)
  if (all.outputTokens >= all.contextWindow) throw new TypeError('outputTokens: leaves nothing of contextWindow')
  return all
}
