import { sqlite } from '../src/index.ts'
import { recordsOf } from './records-of.ts'

// Appends a few records and dies. Arguments: file, log, how many.
const [, , file = '', log = '', count = ''] = process.argv
const adapter = sqlite(file)
const { length } = await recordsOf(adapter, log)
for (let at = length; at < length + Number(count); at++) await adapter.append(log, at, [`"${at}"`])
process.kill(process.pid, 'SIGKILL')
