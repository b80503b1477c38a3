import { useStore } from './use-store.ts'

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  void useStore('from a shared worker').then((answer) => port?.postMessage(answer))
})
