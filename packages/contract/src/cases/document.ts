import type { StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { assertCode, assertErrorCode, outcomeOf } from '../rejection.ts'

const KEY = 'document/key'
const WRITERS = 4
const INCREMENTS = 10

/** Compare-and-swap. */
export const documentCases: readonly ContractCase[] = [
  {
    id: 'document/compare-and-swap',
    group: 'document',
    title: 'a document is created, replaced and removed only at the version expected',
    rules: ['put.cas', 'remove.cas', 'remove.again', 'remove.gone', 'see'],
    async run({ open }) {
      const [one, other] = [await open(), await open()]
      const refuse = async (expect: string, when: string) => {
        const before = await read(one)
        await assertCode(other.put(KEY, '"refused"', { expect }), 'CONFLICT', `put of ${when}`)
        if (expect !== 'absent') {
          await assertCode(other.remove(KEY, { expect }), 'CONFLICT', `remove of ${when}`)
        }
        assertEqual(await read(one), before, `the document after refusing ${when}`)
      }
      assertEqual(await one.get(KEY), undefined, 'a document that does not exist')
      await refuse('no-such-version', 'a version before there is a document')
      await other.remove(KEY)
      const first = await one.put(KEY, '"first"', { expect: 'absent' })
      assertEqual(await read(other), ['"first"', first], 'a created document')
      await refuse('absent', '"absent" although there is a document')
      await refuse('no-such-version', 'a version that never was')
      const second = await other.put(KEY, '"second"', { expect: first })
      assertEqual(await read(one), ['"second"', second], 'a replaced document')
      await refuse(first, 'a stale version')
      await one.remove(KEY, { expect: second })
      assertEqual(await other.get(KEY), undefined, 'a document removed at its version')
      await refuse(second, 'the version of a removed document')
      await one.remove(KEY)
      const third = await other.put(KEY, '"third"', { expect: 'absent' })
      assertEqual(await read(one), ['"third"', third], 'a document created again')
      await one.remove(KEY)
      assertEqual(await other.get(KEY), undefined, 'a document removed at whatever version')
      const [racing, lost] = await Promise.all(
        [one, other].map((by) => outcomeOf(by.put(KEY, '1', { expect: 'absent' }))),
      )
      assert(racing?.ok !== lost?.ok, 'of two racing puts exactly one wins')
    },
  },
  {
    id: 'document/forget-earlier',
    group: 'document',
    title:
      'a put that forgets earlier values is a put like any other: compared, read by every handle, replaced and removed',
    rules: ['put.forget', 'put.cas', 'put.version', 'see'],
    async run({ open }) {
      const [one, other] = [await open(), await open()]
      const versions = [await one.put(KEY, '"first"', { expect: 'absent', forget: true })]
      for (let i = 0; i < 3; i++) versions.push(await one.put(KEY, `"value ${i}"`, { expect: String(versions.at(-1)) }))
      const before = String(versions.at(-1))
      await assertCode(
        other.put(KEY, '"refused"', { expect: 'absent', forget: true }),
        'CONFLICT',
        'a creation that forgets',
      )
      await assertCode(
        other.put(KEY, '"refused"', { expect: String(versions[0]), forget: true }),
        'CONFLICT',
        'a stale put that forgets',
      )
      const forgetting = await other.put(KEY, '"forgetting"', { expect: before, forget: true })
      for (const handle of [one, other, await open()]) {
        assertEqual(await read(handle), ['"forgetting"', forgetting], 'the document after a put that forgets')
      }
      await assertCode(one.put(KEY, '"refused"', { expect: before }), 'CONFLICT', 'a put at a forgotten version')
      const [racing, lost] = await Promise.all(
        [one, other].map((by, i) => outcomeOf(by.put(KEY, String(i), { expect: forgetting, forget: true }))),
      )
      assert(racing?.ok !== lost?.ok, 'of two racing puts that forget exactly one wins')
      const [value] = (await read(one)) ?? []
      assertEqual(value, racing?.ok ? '0' : '1', 'the value of the winner')
      await other.remove(KEY, { forget: true })
      assertEqual(await one.get(KEY), undefined, 'the document after it was removed')
    },
  },
  {
    id: 'document/versions',
    group: 'document',
    title: 'a version never returns: not for an equal value, not after remove, not after forget',
    rules: ['put.version', 'put.cas', 'remove.cas', 'remove.gone', 'remove.forget'],
    async run({ open }) {
      // Each put by a handle of its own, and the first of its life: what a handle counts by itself starts again.
      const adapter = await open()
      const stale: string[] = []
      let expect = 'absent'
      const steps = ['"A"', '"A"', '"B"', '"A"', 'remove', '"A"', 'forget', '"A"']
      for (const value of steps) {
        if (value === 'remove' || value === 'forget') {
          await adapter.remove(KEY, { expect, forget: value === 'forget' })
          assertEqual(await adapter.get(KEY), undefined, `the document after ${value}`)
          expect = 'absent'
        } else {
          const version = await (await open()).put(KEY, value, { expect })
          assert(typeof version === 'string' && version !== '', 'a version is a text')
          assert(version !== 'absent', 'a version is never "absent"')
          assert(!stale.includes(version), `version ${version} names one put for ever, but it came back`)
          assertEqual(await read(adapter), [value, version], 'the document at the version that put gave')
          expect = version
        }
        const current = await read(adapter)
        await Promise.all(
          stale.map(async (version) => {
            await assertCode(adapter.put(KEY, '"stale"', { expect: version }), 'CONFLICT', 'put of a stale version')
            await assertCode(adapter.remove(KEY, { expect: version }), 'CONFLICT', 'remove of a stale version')
          }),
        )
        assertEqual(await read(adapter), current, 'the document after stale writers')
        if (expect !== 'absent') stale.push(expect)
      }
    },
  },
  {
    id: 'document/counter',
    group: 'document',
    title: 'four handles racing to count ten times each lose no increment',
    rules: ['put.cas', 'put.version', 'see'],
    async run({ open }) {
      const handles = await Promise.all(Array.from({ length: WRITERS }, () => open()))
      const versions = (await Promise.all(handles.map(count))).flat()
      const total = WRITERS * INCREMENTS
      assertEqual((await handles[0]?.get(KEY))?.value, String(total), 'the counter at the end')
      assertEqual(new Set(versions).size, total, 'the number of different versions')
    },
  },
]

async function read(adapter: StorageAdapter): Promise<readonly [value: string, version: string] | undefined> {
  const document = await adapter.get(KEY)
  return document && [document.value, document.version]
}

async function count(handle: StorageAdapter): Promise<string[]> {
  const versions: string[] = []
  let lost: string | undefined
  while (versions.length < INCREMENTS) {
    const current = await handle.get(KEY)
    const expect = current?.version ?? 'absent'
    // Somebody must have won what this handle lost, and nobody more than there is to win: this bounds the race, too.
    assert(Number(current?.value ?? 0) <= WRITERS * INCREMENTS, 'the counter counts more than was put')
    assert(expect !== lost, `a CONFLICT at version ${expect}, which is still there`)
    const outcome = await outcomeOf(handle.put(KEY, String(Number(current?.value ?? 0) + 1), { expect }))
    if (outcome.ok) {
      versions.push(outcome.value)
      continue
    }
    assertErrorCode(outcome.error, 'CONFLICT', 'a racing put')
    lost = expect
  }
  return versions
}
