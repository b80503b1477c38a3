import { SessionError } from '@sessiontree/core'
import { sqlite } from '../src/index.ts'
import { recordsOf } from './records-of.ts'

// Reads a log and says what it found, as a user who may not write. Arguments: file, log.
const [, , file = '', log = ''] = process.argv
const adapter = sqlite(file, { readOnly: true, busyTimeout: 300 })
try {
  console.log(JSON.stringify(await recordsOf(adapter, log)))
} catch (error) {
  console.log(SessionError.is(error) ? `${error.code} ${error.message}` : String(error))
}
await adapter.close()
