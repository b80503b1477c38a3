import { EventSourceParserStream } from 'eventsource-parser/stream'
import { toolDefinitions } from '../agent/tools.ts'
import type { Delta, Model, ToolCall } from './model.ts'

/** Where an OpenAI-compatible server listens. */
export interface Endpoint {
  /** Up to and with the version: `https://api.example.com/v1`. */
  readonly url: string
  readonly model: string
  readonly key: string
}

interface Chunk {
  readonly error?: { readonly message?: string }
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null
      readonly tool_calls?: readonly {
        readonly index: number
        readonly id?: string
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }[]
    }
  }[]
}

/** Any server with OpenAI's chat completions. */
export function openAiModel({ url, model, key }: Endpoint): Model {
  return {
    name: model,
    async *answer(messages, signal) {
      const response = await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        signal,
        headers: { 'content-type': 'application/json', ...(key === '' ? {} : { authorization: `Bearer ${key}` }) },
        body: JSON.stringify({ model, messages, tools: toolDefinitions, stream: true }),
      })
      if (!response.ok || !response.body) {
        throw new Error(`${new URL(url).host} answered ${response.status}: ${(await response.text()).slice(0, 300)}`)
      }
      yield* deltas(response.body)
    },
  }
}

async function* deltas(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Delta, void, void> {
  const calls: ToolCall[] = []
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  for await (const { data } of events) {
    if (data === '[DONE]') break
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error) throw new Error(chunk.error.message ?? 'the endpoint reported an error')
    const delta = chunk.choices?.[0]?.delta
    if (delta?.content) yield { text: delta.content }
    for (const part of delta?.tool_calls ?? []) {
      const before = calls[part.index]
      calls[part.index] = {
        id: part.id ?? before?.id ?? `call-${part.index}`,
        name: (before?.name ?? '') + (part.function?.name ?? ''),
        arguments: (before?.arguments ?? '') + (part.function?.arguments ?? ''),
      }
    }
  }
  const whole = calls.filter((call) => call !== undefined)
  if (whole.length > 0) yield { calls: whole }
}
