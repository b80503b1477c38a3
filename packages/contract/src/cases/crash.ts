import { sleep, systemClock } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assertEqual } from '../assert.ts'
import { fill, readLog } from '../reading.ts'

const LOG = 'crash/log'
const KEY = 'crash/document'
const ROUNDS = 4

/** Handles that die without a close. */
export const crashCases: readonly ContractCase[] = [
  {
    id: 'crash/log',
    group: 'crash',
    title:
      'after a crash everything acknowledged is there, then all or nothing of what was in flight, and nothing else',
    rules: ['append.durable', 'append.atomic', 'read.prefix', 'append.cas'],
    needs: ['crash'],
    async run({ open, crash }) {
      let acknowledged: readonly string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const handle = await open()
        const others = [`crash/new-${round}`, `crash/next-${round}`]
        const written = [...acknowledged]
        for (const size of [1, 3, 2]) {
          const batch = Array.from({ length: size }, (_, i) => `{"round":${round},"at":${written.length + i}}`)
          await handle.append(LOG, written.length, batch)
          written.push(...batch)
        }
        await handle.append(others[0] ?? '', 0, ['"first"'])
        // Two handles race for the same index, and one begins a log.
        const racing = [0, 1].map((racer) =>
          Array.from({ length: 3 }, (_, i) => `{"by":${racer},"i":${i},"text":"${'x'.repeat(40_000)}"}`),
        )
        const rival = await open()
        const resolved: (readonly string[])[] = []
        const follow = (append: Promise<void>, batch: readonly string[]) =>
          void append.then(
            () => resolved.push(batch),
            () => {},
          )
        for (const [racer, batch] of racing.entries()) {
          follow((racer === 0 ? handle : rival).append(LOG, written.length, batch), batch)
        }
        const beginning = ['"0"', '"1"']
        follow(handle.append(others[1] ?? '', 0, beginning), beginning)
        if (round % 2 === 1) await sleep(systemClock, round)
        const resolvedBefore = [...resolved]
        await crash()

        const reader = await open()
        const found = await readLog(reader, LOG)
        assertEqual(found.slice(0, written.length), written, `what was acknowledged before crash ${round}`)
        const rest = found.slice(written.length)
        const [won] = racing.filter((batch) => resolvedBefore.includes(batch))
        const seen = racing.find((batch) => batch[0] === rest[0]) ?? []
        assertEqual(rest, won ?? seen, `what is there of the appends in flight at crash ${round}`)
        assertEqual(await readLog(reader, LOG, { reverse: true }), found, `a reverse read after crash ${round}`)
        assertEqual(await readLog(reader, others[0] ?? ''), ['"first"'], `a log begun just before crash ${round}`)
        const begun = await readLog(reader, others[1] ?? '')
        const isThere = resolvedBefore.includes(beginning) || begun.length > 0
        assertEqual(begun, isThere ? beginning : [], `a log that was being begun at crash ${round}`)
        acknowledged = found
      }
      const last = await open()
      await fill(last, 'crash/after', [2], (i) => `${i}`)
      await last.append(LOG, acknowledged.length, ['"end"'])
      assertEqual(await readLog(await open(), LOG), [...acknowledged, '"end"'], 'the log that goes on after crashes')
    },
  },
  {
    id: 'crash/document',
    group: 'crash',
    title: 'after a crash a document is at the version acknowledged or at the one in flight, and never torn',
    rules: ['put.durable', 'put.cas', 'remove.gone'],
    needs: ['crash'],
    async run({ open, crash }) {
      let version = 'absent'
      for (let round = 0; round < ROUNDS; round++) {
        const handle = await open()
        const values = ['first', 'second'].map((name) => `{"round":${round},"${name}":"${'x'.repeat(5000)}"}`)
        for (const value of values) version = await handle.put(KEY, value, { expect: version })
        const removed = `crash/removed-${round}`
        await handle.put(removed, '"there"', { expect: 'absent' })
        await handle.remove(removed)
        const flying = `{"flying":${round},"text":"${'y'.repeat(50_000)}"}`
        let flown: string | undefined
        handle.put(KEY, flying, { expect: version }).then(
          (resolved) => (flown = resolved),
          () => {},
        )
        if (round % 2 === 1) await sleep(systemClock, round)
        const flownBefore = flown
        await crash()

        const reader = await open()
        const found = await reader.get(KEY)
        if (flownBefore !== undefined) {
          assertEqual(
            [found?.value, found?.version],
            [flying, flownBefore],
            `a put that resolved just before crash ${round}`,
          )
        } else if (found?.value !== flying) {
          assertEqual([found?.value, found?.version], [values[1], version], `the document put before crash ${round}`)
        }
        assertEqual(await reader.get(removed), undefined, `a document removed before crash ${round}`)
        version = found?.version ?? 'absent'
      }
      const last = await open()
      const next = await last.put(KEY, '"end"', { expect: version })
      assertEqual((await (await open()).get(KEY))?.version, next, 'the document that goes on after crashes')
    },
  },
]
