import { expect, test } from 'vitest'
import { indexedDb } from '../src/index.ts'

test('where there is no IndexedDB, as on a server, a handle can be made and every use of it is UNSUPPORTED', async () => {
  const adapter = indexedDb('sessions')
  await expect(adapter.get('document')).rejects.toMatchObject({ code: 'UNSUPPORTED', written: 'no' })
  await expect(adapter.append('log', 0, ['1'])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  await adapter.close()
})
