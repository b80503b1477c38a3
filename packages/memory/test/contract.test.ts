import type { Harness } from '@sessiontree/contract'
import { contractSuite, sessionSuite, systemsSuite } from '@sessiontree/contract/vitest'
import { memory, MemoryStore } from '@sessiontree/memory'
import { expect, test } from 'vitest'

const nothingBelow = 'nothing is below this adapter: values in the memory of the process that asks'

const harness: Harness = {
  name: 'memory',
  lacks: {
    damage: nothingBelow,
    damageDocument: nothingBelow,
    vanish: nothingBelow,
    costs: nothingBelow,
    openFailingNextFlush: nothingBelow,
    crash: 'durability "none": nothing is promised to be there',
  },
  async create() {
    const store = new MemoryStore()
    return { open: async () => memory({ store }), destroy: async () => {} }
  },
}

contractSuite(harness)
sessionSuite(harness)
systemsSuite(harness)

test('drop and remove tell the bytes of UTF-8 that they took away', async () => {
  const adapter = memory()
  const texts = ['"a"', '"\u007f\u0080"', '"\u07ff\u0800"', '"\ud7ff\ue000\uffff"', '"\u{1f600}"']
  const bytes = Buffer.byteLength(texts.join(''))
  await adapter.append('log', 0, texts.slice(0, 2))
  await adapter.append('log', 2, texts.slice(2))
  await adapter.put('document', texts[4] ?? '', { expect: 'absent' })
  expect(await adapter.drop('log')).toEqual({ bytes })
  expect(await adapter.drop('log')).toEqual({ bytes: 0 })
  expect(await adapter.drop('log', { forget: true })).toEqual({ bytes: 0 })
  await adapter.append('other', 0, texts)
  expect(await adapter.drop('other', { forget: true })).toEqual({ bytes })
  expect(await adapter.remove('document', { forget: true })).toEqual({ bytes: 6 })
  expect(await adapter.remove('document')).toEqual({ bytes: 0 })
})
