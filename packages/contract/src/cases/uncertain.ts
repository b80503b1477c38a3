import { SessionError } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, AssertionError, assertEqual } from '../assert.ts'
import { fill, lengthOf, readLog } from '../reading.ts'
import { assertErrorCode, outcomeOf } from '../rejection.ts'

const LOG = 'uncertain/log'
const KEY = 'uncertain/document'

/** Writes of which nobody can tell at first whether they took effect, and flushes that failed. */
export const uncertainCases: readonly ContractCase[] = [
  {
    id: 'uncertain/put',
    group: 'uncertain',
    title: 'a put whose answer is lost resolves or is UNCERTAIN, and putting again settles it',
    rules: ['put.uncertain', 'uncertain', 'put.cas', 'put.version'],
    async run({ open, openLosingNextAnswer }) {
      for (const expect of ['absent', await (await open()).put(`${KEY}/b`, '"before"', { expect: 'absent' })]) {
        const key = expect === 'absent' ? `${KEY}/a` : `${KEY}/b`
        const losing = await openLosingNextAnswer('put')
        const outcome = await outcomeOf(losing.put(key, '"mine"', { expect }))
        const settling = await open()
        if (!outcome.ok) {
          assertUncertain(outcome.error, 'a put that took effect and lost its answer')
          const again = await outcomeOf(settling.put(key, '"mine"', { expect }))
          if (!again.ok) assertErrorCode(again.error, 'CONFLICT', 'the same put again')
        }
        const document = await settling.get(key)
        assertEqual(document?.value, '"mine"', 'the document after the lost answer was settled')
        if (outcome.ok) assertEqual(outcome.value, document?.version, 'the version of a put whose answer was lost')
        const next = await settling.put(key, '"after"', { expect: document?.version ?? '' })
        assertEqual((await (await open()).get(key))?.version, next, 'the version after the next put')
      }
    },
  },
  {
    id: 'uncertain/remove',
    group: 'uncertain',
    title: 'a removal whose answer is lost resolves or is UNCERTAIN, and removing again settles it',
    rules: ['put.uncertain', 'uncertain', 'remove.cas', 'remove.gone'],
    async run({ open, openLosingNextAnswer }) {
      const expect = await (await open()).put(KEY, '"before"', { expect: 'absent' })
      const losing = await openLosingNextAnswer('remove')
      const outcome = await outcomeOf(losing.remove(KEY, { expect }))
      const settling = await open()
      if (!outcome.ok) {
        assertUncertain(outcome.error, 'a removal that took effect and lost its answer')
        const again = await outcomeOf(settling.remove(KEY, { expect }))
        if (!again.ok) assertErrorCode(again.error, 'CONFLICT', 'the same removal again')
      }
      assertEqual(await settling.get(KEY), undefined, 'the document after the lost answer was settled')
      const version = await settling.put(KEY, '"again"', { expect: 'absent' })
      assertEqual((await (await open()).get(KEY))?.version, version, 'the document that was created afterwards')
    },
  },
  {
    id: 'uncertain/failed-flush',
    group: 'uncertain',
    title: 'an append whose flush failed is UNCERTAIN, and so is every later one of that handle',
    rules: ['append.poisoned', 'append.uncertain', 'uncertain', 'append.durable'],
    needs: ['openFailingNextFlush', 'sharing'],
    async run({ open, openFailingNextFlush }) {
      const before = await fill(await open(), LOG, [2], (i) => `{"before":${i}}`)
      const failing = await openFailingNextFlush()
      const mine = ['{"mine":0}', '{"mine":1}']
      const outcome = await outcomeOf(failing.append(LOG, before.length, mine))
      if (outcome.ok) {
        throw new AssertionError('an append resolves although its flush failed', 'resolved', 'UNCERTAIN')
      }
      assertUncertain(outcome.error, 'an append whose flush failed')
      // Flushes succeed from now on, which says nothing about what the failed one let go of.
      const length = await lengthOf(await open(), LOG)
      for (const at of [before.length, length]) {
        const later = await outcomeOf(failing.append(LOG, at, ['"later"']))
        if (later.ok) {
          throw new AssertionError(`a later append at ${at} to a poisoned log resolves`, 'resolved', 'UNCERTAIN')
        }
        assertUncertain(later.error, `a later append at ${at} of the same handle`)
      }
      const settling = await open()
      const seen = await readLog(settling, LOG)
      assertEqual(seen.slice(0, before.length), before, 'what was acknowledged before the failed flush')
      const tail = seen.slice(before.length)
      assertEqual(tail, tail.length === 0 ? [] : mine, 'what is there of the append whose flush failed')
      await settling.append(LOG, seen.length, ['"after"'])
      assertEqual(await readLog(await open(), LOG), [...seen, '"after"'], 'the log after another handle went on')
    },
  },
]

function assertUncertain(error: unknown, what: string): void {
  assertErrorCode(error, 'UNCERTAIN', what)
  assert(SessionError.is(error) && error.written === 'unknown', `${what}: UNCERTAIN says written "unknown"`)
}
