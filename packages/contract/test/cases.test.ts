import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { caseById, cases } from '@sessiontree/contract'
import { expect, test } from 'vitest'

const source = join(import.meta.dirname, '../src')
const contract = join(import.meta.dirname, '../../../docs/adapter-contract.md')

test('every case has an id of its own, in its group, and can be found by it', () => {
  for (const one of cases) {
    expect(one.id).toMatch(/^[a-z]+\/[a-z-]+$/)
    expect(one.id.split('/')[0]).toBe(one.group)
    expect(caseById(one.id)).toBe(one)
  }
  expect(() => caseById('no/such-case')).toThrow(TypeError)
})

test('every rule that a case names stands in the contract', async () => {
  const text = await readFile(contract, 'utf8')
  const rules = new Set([...text.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, ids]) => ids?.match(/[a-z.]+/g) ?? []))
  expect(cases.flatMap((one) => one.rules).filter((rule) => !rules.has(rule))).toEqual([])
  // A store that cannot be opened, for each place in its own way: adapters test that themselves.
  const named = new Set(cases.flatMap((one) => one.rules))
  expect([...rules].filter((rule) => !named.has(rule)).toSorted()).toEqual(['open'])
})

test('the docstrings of the interface name every rule of the contract, and no other', async () => {
  const text = await readFile(contract, 'utf8')
  const rules = [...text.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, ids]) => ids?.match(/[a-z.]+/g) ?? [])
  const docstrings = await readFile(join(import.meta.dirname, '../../core/src/adapter.ts'), 'utf8')
  const named = [...docstrings.matchAll(/`\[([a-z.]+)\]`/g)].map(([, id]) => id)
  expect(new Set(named)).toEqual(new Set(rules))
})

test('nothing but vitest.ts knows a test runner', async () => {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'))
  const importing: string[] = []
  for (const file of files) {
    if (/from '(?:vitest|node:)/.test(await readFile(join(source, file), 'utf8'))) importing.push(file)
  }
  expect(importing).toEqual(['vitest.ts'])
})
