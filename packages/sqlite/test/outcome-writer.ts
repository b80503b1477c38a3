import { SessionError } from '@sessiontree/core'
import { sqlite } from '../src/index.ts'

// Appends numbers to one log and says how each append ended. Arguments: file, durability, how many.
const [, , file = '', durability = '', count = ''] = process.argv
const adapter = sqlite(file, { durability: durability === 'disk' ? 'disk' : 'process' })
let at = 0
for (let i = 0; i < Number(count); i++) {
  let code = 'ok'
  try {
    await adapter.append('a/log', at, [`"${i}"`])
  } catch (error) {
    if (!SessionError.is(error)) throw error
    code = error.code
  }
  // One call, over when it returns.
  process.stdout.write(`${JSON.stringify({ at: i, code })}\n`)
  for await (const batch of adapter.read('a/log', { reverse: true, limit: 1 })) at = batch.at + 1
}
await adapter.close()
