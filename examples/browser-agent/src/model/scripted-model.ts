import type { RoleMessage } from '@sessiontree/core'
import type { Delta, Model } from './model.ts'

// How long a word takes, in milliseconds; `?pause=400` in the page's address shows it in slow motion.
const WORD_PAUSE = Number(new URLSearchParams(location.search).get('pause') ?? 40)

/** A model that needs no network: looks up a parcel with a tool when it is asked for one, and else says what it was told. */
export const scriptedModel: Model = {
  name: 'scripted',
  async *answer(messages, signal) {
    const question = messages.findLastIndex(({ role }) => role === 'user')
    const asked = textOf(messages[question])
    const result = messages.slice(question + 1).findLast(({ role }) => role === 'tool')
    if (result) {
      const { status, city, url } = JSON.parse(textOf(result)) as { status: string; city: string; url: string }
      yield* spoken(`Your parcel is ${status}, last seen in ${city}. You can follow it at ${url} if you like.`, signal)
    } else if (/parcel|package|order/i.test(asked)) {
      yield* spoken('One moment, I am looking that up.', signal)
      yield {
        calls: [
          { id: `call-${messages.length}`, name: 'track_parcel', arguments: JSON.stringify({ parcel: 'PX-2077' }) },
        ],
      }
    } else {
      const turn = messages.filter(({ role }) => role === 'user').length
      yield* spoken(
        `You said: ${asked}\n\nThis is answer ${turn} of the scripted model: it needs no network and no key. Ask about a parcel to see it call a tool, ` +
          'or name an endpoint in the settings to talk to a real model.',
        signal,
      )
    }
  },
}

async function* spoken(text: string, signal: AbortSignal): AsyncGenerator<Delta, void, void> {
  for (const [word] of text.matchAll(/\s*\S+/g)) {
    await pause(signal)
    yield { text: word }
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, WORD_PAUSE)
    signal.addEventListener('abort', abort, { once: true })
  })
}

function textOf(message: RoleMessage | undefined): string {
  const content = message?.['content']
  return typeof content === 'string' ? content : ''
}
