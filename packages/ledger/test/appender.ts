// A process that appends one entry to a ledger.
import { openLedger } from '@sessiontree/ledger'
import { nodeFs } from '@sessiontree/node-fs'

const [folder = '', name = ''] = process.argv.slice(2)
await using adapter = nodeFs(folder, { durability: 'process' })
const ledger = openLedger(adapter, 't')
for (let i = 0; i < 3; i++)
  await ledger.append(({ entries }) => ({ type: 'note', reason: `${name} saw ${entries.length}` }))
