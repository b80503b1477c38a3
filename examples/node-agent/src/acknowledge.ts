import { writeSync } from 'node:fs'

/** What a recording process says of an entry that is stored. */
export interface Acknowledged {
  readonly id: string
  readonly digest: string
}

/** Says that an entry is stored; resolves when the next one may begin. */
export type Acknowledge = (stored: Acknowledged) => Promise<void>

/** The file descriptor on which a recording process acknowledges, one JSON line for each entry. */
export const ACKNOWLEDGEMENTS = 3
/** What it is told on its standard input before it begins the next one. */
export const GO_ON = 'go on\n'

/**
 * The recording process's end of the conversation.
 *
 * Contract
 * - The line has left this process when `acknowledge` returns its promise: a kill cannot take it back.
 * - Resolves at once when the signal aborts; rejects if whoever listens has gone.
 */
export function acknowledgeToParent(signal: AbortSignal): {
  readonly acknowledge: Acknowledge
  readonly close: () => void
} {
  const { stdin } = process
  const answers = stdin[Symbol.asyncIterator]()
  const close = () => void stdin.destroy()
  signal.addEventListener('abort', close, { once: true })
  return {
    async acknowledge({ id, digest }) {
      writeSync(ACKNOWLEDGEMENTS, `${JSON.stringify({ id, digest })}\n`)
      const answer = await answers.next().catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      if (!signal.aborted && (!answer || answer.done)) throw new Error('The process that started this one has gone.')
    },
    close,
  }
}
