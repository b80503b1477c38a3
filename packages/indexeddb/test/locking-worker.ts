import { tabLock } from '../src/web-lock.ts'

// The worker is named after the store. The hold is kept as long as the worker lives.
void tabLock(self.name)
  .acquire('s')
  .then((hold) => postMessage(hold === undefined ? 'refused' : 'held'))
