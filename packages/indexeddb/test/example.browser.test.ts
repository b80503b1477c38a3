import { deleteDB } from 'idb'
import { expect, onTestFinished, test, vi } from 'vitest'

test('the example of the README keeps its messages from one visit to the next', async () => {
  await deleteDB('my-agent')
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(async () => {
    log.mockRestore()
    await deleteDB('my-agent')
  })
  await import('../example/browser.ts')
  // @ts-expect-error The query makes it another module: another visit.
  await import('../example/browser.ts?again')
  expect(log.mock.calls).toEqual([[1], [2]])
})

test('the example of space and lock gets its answers', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(() => log.mockRestore())
  await import('../example/space.ts')
  const hold = { [Symbol.asyncDispose]: expect.any(Function) as unknown }
  expect(log.mock.calls).toEqual([[expect.any(Boolean), expect.any(Number), expect.any(Number), hold]])
})
