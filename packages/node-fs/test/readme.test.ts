import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

test('the code of the README is the example', async () => {
  const [readme, example] = await Promise.all(
    ['../README.md', '../example/sessions.ts'].map((path) => readFile(new URL(path, import.meta.url), 'utf8')),
  )
  expect(/```ts\n([^]*?)```/.exec(readme ?? '')?.[1]).toBe(example)
})
