import { eventResponse, eventStream, openEvents, type NewEvent } from '@sessiontree/events'
import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'

const event = (content: unknown): NewEvent => ({ turnId: 't', type: 'message', agentName: 'a', content })

async function some(count: number) {
  const events = await openEvents(memory(), 's')
  for (let i = 1; i <= count; i++) await events.record(event(i))
  return events
}

const request = (id?: string) =>
  new Request('http://test/events', id === undefined ? {} : { headers: { 'last-event-id': id } })

/** The text of a stream, once it holds what is waited for. */
async function textUntil(body: ReadableStream<Uint8Array>, wanted: string): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes(wanted)) return text
  }
  return text
}

describe('eventResponse', () => {
  test('is an event stream; Last-Event-ID goes before `after`, which counts without it', async () => {
    const events = await some(6)
    const plain = eventResponse(events, request())
    expect([plain.status, plain.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect(await textUntil(plain.body!, 'id: 0.2')).toMatch(/^id: 0\.1\nevent: message\ndata: \{.*\}\n\nid: 0\.2/)
    const resumed = eventResponse(events, request('0.4'), { after: '0.1' })
    expect(await textUntil(resumed.body!, 'id: 0.5')).toMatch(/^id: 0\.5/)
    // A bare sequence number, as an older client may send it.
    expect(await textUntil(eventResponse(events, request('5')).body!, 'id:')).toMatch(/^id: 0\.6/)
    expect(await textUntil(eventResponse(events, request(), { after: 3 }).body!, 'id:')).toMatch(/^id: 0\.4/)
  })

  test('a Last-Event-ID that is no cursor is 400, before anything is read', async () => {
    const response = eventResponse(await some(1), request('abc'))
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('"abc"')])
  })

  test('ends when the request is aborted, and when the handle is closed', async () => {
    const events = await some(1)
    const controller = new AbortController()
    const aborted = eventResponse(events, new Request('http://test/', { signal: controller.signal }))
    const reading = textUntil(aborted.body!, 'never')
    await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort()
    expect(await reading).toMatch(/event: sessiontree.end\ndata: \{\}\n\n$/)
    const closed = textUntil(eventResponse(events, request()).body!, 'never')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await events.close()
    expect(await closed).toMatch(/event: sessiontree.end\ndata: \{\}\n\n$/)
  })
})

describe('eventStream', () => {
  test('says now and then that it is still there, and loses nothing by that', async () => {
    const events = await some(1)
    let text = ''
    let later: Promise<unknown> | undefined
    for await (const chunk of eventStream(events, { heartbeat: 5 })) {
      text += new TextDecoder().decode(chunk)
      if (/id: 0\.1\n[^]*: still here/.test(text)) later ??= events.record(event('later'))
      if (text.includes('id: 0.2')) break
    }
    await later
    // It says so as well while the first one is on its way.
    expect(text).toMatch(/^(: still here\n\n)*id: 0\.1\n.*\n.*\n\n(: still here\n\n)+id: 0\.2/)
  })

  test('reads nothing before it is pulled, and cancelling ends its work', async () => {
    const inner = memory()
    let reads = 0
    const adapter = { ...inner, read: (...args: Parameters<typeof inner.read>) => (reads++, inner.read(...args)) }
    const events = await openEvents(adapter, 's')
    const stream = eventStream(events)
    await Promise.resolve()
    expect(reads).toBe(0)
    const reader = stream.getReader()
    const pending = reader.read()
    await new Promise((resolve) => setTimeout(resolve, 5))
    await reader.cancel('gone')
    expect((await pending).done).toBe(true)
    const before = reads
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(reads).toBe(before)
    await events.close()
  })

  test('text of any kind survives the encoding', async () => {
    const events = await openEvents(memory(), 's')
    await events.record(event('ü 😀\r\n\u2028'))
    const text = await textUntil(eventStream(events), '\n\n')
    expect(JSON.parse(text.split('data: ')[1]!)).toMatchObject({ content: 'ü 😀\r\n\u2028', sequence: 1 })
  })
})
