import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const home = process.cwd()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sessiontree-readme-'))
  process.chdir(folder)
})

afterEach(async () => {
  process.chdir(home)
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

test("the README's example prints the question and its second answer, each time it runs", async () => {
  const print = vi.spyOn(console, 'log').mockImplementation(() => {})
  await import('../src/lost-parcel.ts')
  const first = print.mock.calls.map((words) => words.map(String))
  expect(first).toEqual([
    ['user_message', expect.stringMatching(/^[0-9a-f-]{36}$/)],
    ['assistant_message', expect.stringMatching(/^[0-9a-f-]{36}$/)],
  ])

  print.mockClear()
  vi.resetModules()
  await import('../src/lost-parcel.ts')
  const second = print.mock.calls.map((words) => words.map(String))
  expect(second.map(([type]) => type)).toEqual([
    'user_message',
    'assistant_message',
    'user_message',
    'assistant_message',
  ])
  expect(second.slice(0, 2)).toEqual(first)
})
