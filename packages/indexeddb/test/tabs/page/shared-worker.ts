import { answerOf } from './use-store.ts'

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  void answerOf('from a shared worker').then((answer) => port?.postMessage(answer))
})
