import { appendFileSync } from 'node:fs'
import { SessionError } from '@sessiontree/core'
import { recording } from '@sessiontree/contract/history'
import { nodeFs } from '../src/index.ts'

// One of several processes on one store: appends, reads and puts, and writes down each call before it is made. Arguments: the
// folder of the store, the file of its history, its name, how many rounds.
const [, , root = '', file = '', actor = '', rounds = ''] = process.argv

const adapter = recording(nodeFs(root, { durability: 'process' }), {
  actor,
  // One clock for every process of this machine.
  time: () => Number(process.hrtime.bigint()),
  write: (event) => appendFileSync(file, `${JSON.stringify(event)}\n`),
})

let length = 0
let version = 'absent'
for (let round = 0; round < Number(rounds); round++) {
  await ignoringConflicts(async () => {
    await adapter.append('race/log', length, [`"${actor} ${round}"`, `"${actor} ${round} too"`])
    length += 2
  })
  await ignoringConflicts(async () => {
    version = await adapter.put('race/document', `"${actor} ${round}"`, { expect: version })
  })
  for await (const batch of adapter.read('race/log', { reverse: true, limit: 3 })) {
    length = Math.max(length, batch.at + batch.records.length)
  }
  version = (await adapter.get('race/document'))?.version ?? 'absent'
}
await adapter.close()

async function ignoringConflicts(write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!SessionError.is(error, 'CONFLICT')) throw error
  }
}
