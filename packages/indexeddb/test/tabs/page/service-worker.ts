import { answerOf } from './use-store.ts'

addEventListener('message', (event) => {
  const working = answerOf('from a service worker').then((answer) => event.ports[0]?.postMessage(answer))
  ;(event as MessageEvent & { waitUntil(work: Promise<unknown>): void }).waitUntil(working)
})
