import { SessionError } from './errors.ts'
import type { SessionState } from './session-state.ts'
import { verifyLog, type Verification, type VerifyOptions } from './verify.ts'

/** Reads the whole session and checks it: see {@link Session.verify}. Follows it to another log, and to what a deletion of an ancestor copied. */
export async function verifySession<Message>(
  state: SessionState<Message>,
  options: VerifyOptions,
): Promise<Verification> {
  const { adapter } = state.options
  await state.readDocument(options.signal)
  for (;;) {
    const log = state.log()
    const { segment } = state.document
    const verifying = state.unlessMoved(() => {
      const { lineage } = state.journal.records
      return verifyLog(adapter, { log, segment, lineage }, options)
    })
    const [result] = await Promise.allSettled([verifying])
    // Nothing there: a new session, or a log that was dropped since the session left it or was deleted.
    const isDropped =
      result.status === 'fulfilled' ? result.value.records === 0 : SessionError.is(result.reason, 'DELETED')
    if (!isDropped) return verifying
    await state.readDocument(options.signal)
    if (state.log() === log) return verifying
  }
}
