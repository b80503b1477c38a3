import { useStore } from './use-store.ts'

addEventListener('message', (event) => {
  const working = useStore('from a service worker').then((answer) => event.ports[0]?.postMessage(answer))
  ;(event as MessageEvent & { waitUntil(work: Promise<unknown>): void }).waitUntil(working)
})
