/** Which batches of a file count. */
export type Counting =
  /** A batch that starts at the byte it names, unbroken. */
  | 'by position'
  /** The first complete batch at an index, in file order; void lines are skipped one by one. */
  | 'first, by line'
  /** As before, but void batches are skipped as a whole. */
  | 'first, by batch'

/** What a line says, if it is whole. */
export interface Line {
  readonly at: number
  readonly pos: number
  readonly more: number
  /** Who wrote it, and which record. */
  readonly by: string
  readonly record: string
}

/** A batch that counts. */
export interface Batch {
  readonly at: number
  readonly start: number
  readonly lines: readonly Line[]
}

export const LINE_FEED = '\n'
/** The records that batches leave, by index. */
export const records = (batches: readonly Batch[]): string[] => {
  const log: string[] = []
  for (const { at, lines } of batches) for (const [i, { record }] of lines.entries()) log[at + i] = record
  return log
}

/** The terminated lines of a file from a line start on: what each says, if it is whole, and where it starts and ends. */
function* linesOf(
  file: readonly string[],
  from: number,
): Generator<{ line: Line | undefined; start: number; end: number }> {
  let start = from
  for (let end = file.indexOf(LINE_FEED, start); end >= 0; end = file.indexOf(LINE_FEED, start)) {
    const [front = '', back] = file.slice(start, end)
    const [at, pos, more, by, record] = front.split(' ')
    const isWhole = end - start === 2 && by !== undefined && record !== undefined && back === `back of ${front}`
    const line = isWhole ? { at: Number(at), pos: Number(pos), more: Number(more), by, record } : undefined
    yield { line, start, end: end + 1 }
    start = end + 1
  }
}

/** Which batch counts, it says itself. */
export function decideByPosition(file: readonly string[], from: number = 0): Batch[] {
  const batches: Batch[] = []
  let open: { start: number; lines: Line[] } | undefined
  for (const { line, start } of linesOf(file, from)) {
    const head = open?.lines[0]
    const continues =
      line &&
      open &&
      head &&
      line.by === head.by &&
      line.pos === head.pos &&
      line.more === head.more - open.lines.length
    if (continues) open?.lines.push(line)
    else open = line && line.pos === start ? { start, lines: [line] } : undefined
    if (line?.more === 0 && open) {
      batches.push({ at: open.lines[0]?.at ?? 0, ...open })
      open = undefined
    }
  }
  return batches
}

/** Which batch counts depends on what counted before it. */
export function decideByOrder(file: readonly string[], counting: Counting): Batch[] {
  const batches: Batch[] = []
  const all = [...linesOf(file, 0)]
  let length = 0
  for (let i = 0; i < all.length;) {
    const { line: head, start } = all[i] as (typeof all)[number]
    const lines: Line[] = []
    for (const { line } of all.slice(i, i + (head?.more ?? 0) + 1)) {
      if (!head || line?.at !== head.at + lines.length || line.more !== head.more - lines.length) break
      lines.push(line)
    }
    const isComplete = head !== undefined && lines.length === head.more + 1
    if (isComplete && head.at === length) {
      batches.push({ at: head.at, start, lines })
      length += lines.length
      i += lines.length
    } else {
      i += counting === 'first, by batch' ? Math.max(1, lines.length) : 1
    }
  }
  return batches
}
