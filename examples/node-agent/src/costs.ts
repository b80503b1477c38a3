import type { Counts } from '@sessiontree/contract'
import type { Requests } from './places.ts'
import { formatNumber, table } from './report.ts'
import type { TranscriptEntry } from './transcript.ts'

/** Says what recording took: operations, bytes and time. */
export function costLines(options: {
  readonly entries: readonly Pick<TranscriptEntry, 'bytes'>[]
  readonly durations: readonly number[]
  readonly counts: Counts
  readonly sizeOnDisk: number | undefined
  readonly requests: Requests | undefined
}): string[] {
  const { entries, durations, counts, sizeOnDisk, requests } = options
  const content = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  const written = counts.append.bytes + counts.put.bytes
  const total = durations.reduce((sum, duration) => sum + duration, 0)
  const bytes: (string | number)[][] = [
    ['content', content],
    ['records and documents', written, ratio(written, content)],
  ]
  const put = requests?.get('PutObject')
  if (put) bytes.push(['put into objects', put.bytes, ratio(put.bytes, content)])
  if (sizeOnDisk !== undefined) bytes.push(['on disk', sizeOnDisk, ratio(sizeOnDisk, content)])
  return [
    ...operationLines(counts, requests),
    '',
    ...table([['what', 'bytes'], ...bytes]),
    '',
    `  ${formatNumber(durations.length)} entries in ${(total / 1000).toFixed(2)} s: ${perEntry(durations, total)}`,
  ]
}

/** A table of the operations that an adapter was asked for, and the requests it made of them; what never came is left out. */
export function operationLines({ append, put, read, get, keys }: Counts, requests: Requests | undefined): string[] {
  const rows: (string | number)[][] = [
    ['append', append.calls, append.records, 'records', append.bytes],
    ['put', put.calls, put.documents, 'documents', put.bytes],
    ['read', read.calls, read.records, 'records', read.bytes],
    ['get', get.calls, get.documents, 'documents', get.bytes],
    ['keys', keys.calls],
  ]
  const sent = [...(requests ?? [])].map(([name, { count, bytes }]) => [name, count, '', 'requests', bytes])
  return table([['operation', 'calls', '', '', 'bytes'], ...rows.filter(([, calls]) => calls !== 0), ...sent])
}

function perEntry(durations: readonly number[], total: number): string {
  if (durations.length === 0) return 'nothing to do'
  const slowest = durations.reduce((most, duration) => Math.max(most, duration), 0)
  return `${(total / durations.length).toFixed(2)} ms each, the slowest ${slowest.toFixed(1)} ms`
}

const ratio = (bytes: number, content: number) => (content === 0 ? '' : `${(bytes / content).toFixed(2)} × content`)
