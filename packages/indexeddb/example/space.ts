import { estimate, persist } from '@sessiontree/indexeddb'
import { tabLock } from '@sessiontree/indexeddb/web-lock'

const isKept = await persist() // asks the browser not to evict this site when space gets short
const { usage, quota } = await estimate() // bytes, as the browser estimates them
await using hold = await tabLock('my-agent').acquire('support-42') // free as soon as this tab is gone, however it ends

console.log(isKept, usage, quota, hold)
