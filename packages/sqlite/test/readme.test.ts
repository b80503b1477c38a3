import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const text = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

test('the code of the README is the examples', async () => {
  const shown = Array.from((await text('../README.md')).matchAll(/```ts\n([^]*?)```/g), ([, block]) => block)
  expect(shown).toHaveLength(2)
  expect(shown[0]).toBe(await text('../example/sessions.ts'))
  expect(await text('../example/better-sqlite3.ts')).toContain(shown[1])
})
