import { backOff, type Environment } from '../environment.ts'
import { SessionError } from '../errors.ts'
import { throwIfAborted, type Signal } from '../runtime.ts'
import { sideBySide } from '../side-by-side.ts'
import { putMark } from './put-mark.ts'

/**
 * Settles what every document below a prefix stands for, side by side, and removes it, until a listing shows none.
 *
 * Contract
 * - One that was put again since it was read stays, and is settled again: whoever was blocked puts it again before it looks anew.
 * - Also where everything listed is gone, there is another listing: whoever removed it may not be done with what came meanwhile.
 */
export async function settleMarks(
  environment: Environment,
  prefix: string,
  signal: Signal | undefined,
  settle: (mark: string) => Promise<void>,
): Promise<void> {
  const { adapter } = environment
  const gone = new Map<string, number>()
  for (let pass = 0; pass < PASSES; pass++) {
    let listed = 0
    let settled = 0
    throwIfAborted(signal)
    await sideBySide(adapter.keys(prefix, { signal }), signal, async (mark) => {
      listed++
      const found = await adapter.get(mark, { signal })
      if (found) {
        settled++
        await settle(mark)
        await removeMark(environment, mark, found.version)
        return
      }
      const times = (gone.get(mark) ?? 0) + 1
      gone.set(mark, times)
      // Somebody died between removing and forgetting it: put again, it goes with the next listing.
      if (times === NAMED_FOR_LONG) await putMark(environment, mark, signal)
    })
    if (listed === 0) return
    if (settled === 0) await backOff(environment, Math.min(pass, 5), signal)
  }
  throw new SessionError('BUSY', `There are always new documents below ${prefix}; try again.`)
}

const PASSES = 1000
const NAMED_FOR_LONG = 4

async function removeMark({ adapter }: Environment, key: string, version: string): Promise<void> {
  try {
    await adapter.remove(key, { expect: version, forget: true })
  } catch (error) {
    if (!SessionError.is(error, 'CONFLICT')) throw error
  }
}
