import { openSessions, type Clock, type Context, type Random, type StorageAdapter } from '@sessiontree/core'
import { piFormat, type PiMessage } from '../src/pi-format.ts'
import { record } from '../src/record.ts'
import { parseTranscript } from '../src/transcript.ts'

/** What {@link compactedAndForked} leaves behind, as digests: of entries their own, of contexts those of their messages. */
export interface Digests {
  /** The leaf after the import. */
  readonly leaf: string | undefined
  /** The context before the compaction. */
  readonly before: string
  /** The entry of the compaction. */
  readonly compaction: string | undefined
  /** The context after it. */
  readonly after: string
  /** The context of the fork. */
  readonly ofFork: string
  /** The leaf of the fork, after a message to it. */
  readonly forked: string | undefined
  /** The leaf of the source, which that message does not touch. */
  readonly source: string | undefined
  readonly sizes: { readonly before: number; readonly after: number }
  /** Whether both sessions are whole. */
  readonly isWhole: boolean
}

async function digestOf({ messages }: Context<PiMessage>): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(messages)))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Import, compaction, context, fork, context: resolves with what each of them left behind. Runs in Node and in a browser. */
export async function compactedAndForked(adapter: StorageAdapter, text: string): Promise<Digests> {
  const transcript = parseTranscript(text)
  const place = { adapter }
  const { leaf } = await record({ transcript, place, id: 's', print: () => {}, signal: new AbortController().signal })
  // Ids and times of what follows are the same everywhere.
  let drawn = 0
  const random: Random = { bytes: (length) => new Uint8Array(length).map(() => drawn++) }
  const clock: Clock = { now: () => 1_800_000_000_000, elapsed: () => 0, timer: () => () => undefined }
  const session = await openSessions(adapter, { format: piFormat, clock, random }).open('s')
  const before = await session.context()
  const compaction = await session.compact({
    summarise: (messages) => `${messages.length} messages`,
    settings: { tailTokens: 300, targetTokens: 30_000, summaryTokens: 100, userTokens: 100 },
  })
  const after = await session.context()
  const fork = await session.fork({ id: 'f' })
  const ofFork = await fork.context()
  await fork.append({ role: 'user', content: 'And now?', timestamp: 1 })
  return {
    leaf: leaf?.digest,
    before: await digestOf(before),
    compaction: compaction?.digest,
    after: await digestOf(after),
    ofFork: await digestOf(ofFork),
    forked: (await fork.leaf())?.digest,
    source: (await session.leaf())?.digest,
    sizes: { before: before.messages.length, after: after.messages.length },
    isWhole: (await session.verify()).ok && (await fork.verify()).ok,
  }
}

/** Of the generated transcript, in every store of every runtime: changed only when the stored format, or what is compacted, changes. */
export const DIGESTS_OF_GENERATED: Digests = {
  leaf: 'a37cbe4387df4123a72bf0f304d4b0ecead7d9426df90ff573cb18d6bab9af51',
  before: '91b5ae24779dcabb69872c9c1ae32616c3d17bfd986b8c282d627cc4df717713',
  compaction: 'ec975c3423f522de1928237b399467fd4f790b24a19df7f837c5b848b238f716',
  after: 'c8c542da0945836c7a66bebf78cb43dcb58baaa1f9dabdbe96404ba2a69d4103',
  ofFork: 'c8c542da0945836c7a66bebf78cb43dcb58baaa1f9dabdbe96404ba2a69d4103',
  forked: '1bdf00d00dcbd255a70420fe6ccef423a8bf557d0aeaa6ccf4459acbf653a5f9',
  source: 'ec975c3423f522de1928237b399467fd4f790b24a19df7f837c5b848b238f716',
  sizes: { before: 17, after: 6 },
  isWhole: true,
}
