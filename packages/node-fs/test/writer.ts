import { SessionError } from '@sessiontree/core'
import { nodeFs } from '../src/node-fs.ts'

/** Appends its records to the log one by one, behind whatever others appended, and prints the indexes that it won. */
const [root = '', durability, name, count] = process.argv.slice(2)
const adapter = nodeFs(root, { durability: durability as 'disk' | 'process' })
const won: number[] = []
let at = 0
while (won.length < Number(count)) {
  try {
    await adapter.append('race/log', at, [JSON.stringify({ name, i: won.length })])
    won.push(at++)
  } catch (error) {
    if (!SessionError.is(error, 'CONFLICT')) throw error
    at = error.atLeast ?? 0
  }
}
await adapter.close()
process.stdout.write(JSON.stringify(won))
