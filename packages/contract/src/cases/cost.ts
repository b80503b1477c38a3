import { sleep, systemClock, type StorageAdapter } from '@sessiontree/core'
import type { CaseContext, ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import type { Costs } from '../harness.ts'
import { inGroups } from '../in-groups.ts'
import { collect, fill, readLog } from '../reading.ts'

// Of one length modulo 64: what an object repeats of its neighbours is the same in both.
const LENGTHS = [16, 2000] as const
const BATCH = 4
// Far below what the longer log costs as a whole (2 MB, 500 batches), above what halving an interval takes, an object that
// repeats its neighbours, or a page.
const MORE_OPERATIONS = 32
const MORE_BYTES = 256 * 1024

const FEW_KEYS = 20
const MANY_KEYS = 420
const DOCUMENT_BYTES = 2000

const LOG = 'cost/log'
const record = (index: number) => `{"index":${index},"text":"${'0123456789'.repeat(98)}"}`
const logOf = (length: number) => `cost/log-${length}`

/** What operations cost below the adapter, by growth: a bound in absolute figures would fit no two places. */
export const costCases: readonly ContractCase[] = [
  {
    id: 'cost/append',
    group: 'cost',
    title: 'a warm append costs the same whatever the log holds',
    rules: ['read.cost'],
    needs: ['costs'],
    async run(context) {
      const handle = await context.open()
      await fillLogs(handle)
      const append = (length: number) => handle.append(logOf(length), length, [record(length)])
      const [little, much] = await compare(context, append)
      assert(little.operations > 0, 'the harness: costs() counts an append')
      assert(little.bytesWritten >= record(0).length, 'the harness: costs() counts the bytes of an append')
      assertNoGrowth(little, much, 'a warm append')
    },
  },
  {
    id: 'cost/read',
    group: 'cost',
    title: 'the tail, one record and a few records cost the same whatever the log holds, for a new handle too',
    rules: ['read.cost'],
    needs: ['costs'],
    async run(context) {
      await fillLogs(await context.open())
      const ranges = (length: number) =>
        ({
          'a read of the tail': { reverse: true, limit: 1 },
          'a read of the last ten records': { reverse: true, limit: 10 },
          'a read of one record in the middle': { from: length / 2, limit: 1 },
          'a read of the first record': { limit: 1 },
          'a read of a short range in reverse': { from: length / 2, to: length / 2 + 3, reverse: true },
          'a look for news where there are none': { from: length },
        }) as const
      for (const what of Object.keys(ranges(0)) as (keyof ReturnType<typeof ranges>)[]) {
        const [little, much] = await compare(context, async (length) => {
          await readLog(await context.open(), logOf(length), ranges(length)[what])
        })
        assert(little.operations > 0, `the harness: costs() counts ${what}`)
        assertNoGrowth(little, much, what)
      }
    },
  },
  {
    id: 'cost/unpulled',
    group: 'cost',
    title: 'a read that nobody pulls costs nothing, and one that is left before its first pull neither',
    rules: ['read.cost'],
    needs: ['costs'],
    async run(context) {
      const handle = await context.open()
      await fill(handle, LOG, [3, 3], record)
      const spent = await spentOn(context, async () => {
        for (const range of [{}, { reverse: true }, { readAhead: Infinity }, { from: 2, salvage: true }]) {
          handle.read(LOG, range)
          await handle.read(LOG, range)[Symbol.asyncIterator]().return?.()
        }
        // Whatever was started all the same has begun by then.
        await sleep(systemClock, 5)
      })
      assertEqual(spent, { operations: 0, bytesRead: 0, bytesWritten: 0 }, 'the costs of reads that nobody pulled')
    },
  },
  {
    id: 'cost/keys',
    group: 'cost',
    title: 'a page of keys costs the same whatever there is, and no fetch per document',
    rules: ['keys.cost'],
    needs: ['costs'],
    async run(context) {
      const handle = await context.open()
      const value = `"${'x'.repeat(DOCUMENT_BYTES)}"`
      const putAndPage = async (count: number) => {
        const keys = Array.from({ length: count }, (_, i) => `cost/of-${count}/${String(i).padStart(4, '0')}`)
        await inGroups(keys, (key) => handle.put(key, value, { expect: 'absent' }))
        return spentOn(context, async () => {
          const page = (await collect(handle.keys(`cost/of-${count}`, { limit: 10 }))).flat()
          assertEqual(page, keys.slice(0, 10), 'a page of ten keys')
        })
      }
      assertNoGrowth(await putAndPage(FEW_KEYS), await putAndPage(MANY_KEYS), 'a page of ten keys')
      const all = await spentOn(context, async () => {
        assertEqual((await collect(handle.keys(`cost/of-${MANY_KEYS}`))).flat().length, MANY_KEYS, 'the number of keys')
      })
      // Pages of three are the smallest in use; a look into each document takes three times as much.
      const most = MORE_OPERATIONS + MANY_KEYS / 2
      assert(
        all.operations <= most,
        `listing ${MANY_KEYS} keys takes at most ${most} operations, not ${all.operations}`,
      )
      const content = MANY_KEYS * DOCUMENT_BYTES
      assert(all.bytesRead < content / 2, `listing keys reads no documents, yet ${all.bytesRead} of ${content} bytes`)
    },
  },
]

async function fillLogs(handle: StorageAdapter): Promise<void> {
  for (const length of LENGTHS) {
    const sizes = Array.from({ length: length / BATCH }, () => BATCH)
    await fill(handle, logOf(length), sizes, record)
  }
}

/** What `work` costs on the short and on the long log. */
async function compare(
  context: CaseContext,
  work: (length: number) => Promise<unknown>,
): Promise<readonly [short: Costs, long: Costs]> {
  const [short, long] = LENGTHS
  return [await spentOn(context, () => work(short)), await spentOn(context, () => work(long))]
}

async function spentOn({ costs }: CaseContext, work: () => Promise<unknown>): Promise<Costs> {
  const before = { ...(await costs()) }
  await work()
  const after = await costs()
  return {
    operations: after.operations - before.operations,
    bytesRead: after.bytesRead - before.bytesRead,
    bytesWritten: after.bytesWritten - before.bytesWritten,
  }
}

function assertNoGrowth(little: Costs, much: Costs, what: string): void {
  const most: Costs = {
    operations: little.operations + MORE_OPERATIONS,
    bytesRead: little.bytesRead + MORE_BYTES,
    bytesWritten: little.bytesWritten + MORE_BYTES,
  }
  for (const name of ['operations', 'bytesRead', 'bytesWritten'] as const) {
    assert(
      much[name] <= most[name],
      `${what}: ${name} grow with what is stored: ${little[name]} with little, ${much[name]} with much`,
    )
  }
}
