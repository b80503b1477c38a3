import { readFile } from 'node:fs/promises'
import { startS3Stub } from '@sessiontree/s3-stub'
import { expect, test } from 'vitest'

test('the code of the README is the example', async () => {
  const [readme, example] = await Promise.all(
    ['../README.md', '../example/handler.ts'].map((path) => readFile(new URL(path, import.meta.url), 'utf8')),
  )
  expect(/```ts\n([^]*?)```/.exec(readme ?? '')?.[1]).toBe(example)
})

test('and the example does what it says', async () => {
  await using stub = await startS3Stub({ buckets: ['my-agents'] })
  // As a function finds them in its environment; the client takes the path style for an address.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: stub.endpoint,
    AWS_ACCESS_KEY_ID: 'stub',
    AWS_SECRET_ACCESS_KEY: 'stub',
  })
  const { handler } = await import('../example/handler.ts')
  expect(await handler({ session: 'support-42', text: 'Where is my parcel?' })).toBe(1)
  expect(await handler({ session: 'support-42', text: 'Hello?' })).toBe(2)
  expect(stub.requests.every(({ operation, key }) => operation === 'ListObjectsV2' || key.startsWith('support/'))).toBe(
    true,
  )
})
