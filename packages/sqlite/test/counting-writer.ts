import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import { SessionError } from '@sessiontree/core'
import { sqlite } from '../src/index.ts'

// One of several processes that append numbers to one log: `<name> 0`, `<name> 1`, … It may be killed at any moment; the next one of the
// same name goes on behind the last number that is there. Arguments: file, name, how many, durability, and
// how many milliseconds to pause between two appends.
const [, , file = '', name = '', count = '', durability = '', pace = '0'] = process.argv
const LOG = 'count/log'
const adapter = sqlite(file, { durability: durability === 'disk' ? 'disk' : 'process' })

let length = 0
let next = 0
for await (const { at, records } of adapter.read(LOG)) {
  length = at + records.length
  for (const record of records)
    if (record.startsWith(`"${name} `)) next = Number(record.split(' ')[1]?.slice(0, -1)) + 1
}
flushCompileCache()
writeSync(1, 'up\n')
while (next < Number(count)) {
  try {
    await adapter.append(LOG, length, [`"${name} ${next}"`])
    // What was acknowledged is said at once, and by a call that is over when it returns.
    writeSync(1, `${next}\n`)
    length++
    next++
    if (pace !== '0') await pause(Number(pace))
  } catch (error) {
    if (!SessionError.is(error, 'CONFLICT')) throw error
    for await (const { at, records } of adapter.read(LOG, { reverse: true, limit: 1 })) length = at + records.length
  }
}
await adapter.close()
