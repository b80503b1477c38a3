import { indexedDb } from '../src/index.ts'

// The worker is named after its database.
const adapter = indexedDb(self.name)
let told = false

adapter.watch?.(
  'log',
  () => {
    throw new RangeError('of the caller')
  },
  new AbortController().signal,
)
adapter.watch?.(
  'log',
  () => {
    if (!told) postMessage('woken')
    told = true
  },
  new AbortController().signal,
)
addEventListener('message', () => void adapter.append('log', 1, ['"1"']).then(() => postMessage('appended')))
postMessage('watching')
