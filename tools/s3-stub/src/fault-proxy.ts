import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Error } from './bucket.ts'
import { errorXml } from './xml.ts'

/**
 * What can go wrong on the way to a server and back. `delay`: later than asked. `cut`: never arrives. `cut request`: half of it does. `swallow`: arrives, and
 * the answer is lost. `cut answer`: half of it comes. `duplicate`: arrives twice, answered once. `late duplicate`: once more after later writes. A
 * number: that status in place of the work; `500 after`: in place of its answer.
 */
export type ProxyFault = (typeof PROXY_FAULTS)[number]

export const PROXY_FAULTS = [
  'delay',
  'cut',
  'cut request',
  'swallow',
  'cut answer',
  'duplicate',
  'late duplicate',
  '409',
  '429',
  '500',
  '503',
  '500 after',
] as const

export interface FaultProxyOptions {
  /** The server behind it. */
  readonly target: string
  readonly seed: number
  /** How many of the requests something happens to: 0 to 1. */
  readonly rate: number
  /** Default: all. */
  readonly kinds?: readonly ProxyFault[]
  /** A request that was not answered this often in a row comes through. Default: without bound. */
  readonly mostInARow?: number
  /** The longest delay, in milliseconds. Default 50. */
  readonly delay?: number
}

export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string
  /** How many requests came, and how often each fault happened. */
  readonly requests: number
  readonly faults: Readonly<Partial<Record<ProxyFault, number>>>
  /** Lets what is late arrive now, and resolves when nothing is under way. */
  settled(): Promise<void>
  close(): Promise<void>
}

interface Passing {
  readonly method: string
  readonly url: string
  readonly headers: readonly string[]
  readonly body: Buffer
}

interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

const CODES: Readonly<Record<string, string>> = {
  409: 'ConditionalRequestConflict',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'SlowDown',
}
/** After how many later writes a late duplicate arrives, at most. */
const LATEST = 8

/**
 * Starts a proxy in front of an S3 server that disturbs requests at random and resolves with it once it listens, on the loopback interface.
 *
 * Contract
 * - What happens to the nth request follows from the seed and n alone.
 * - Nothing is made up but the answers that a fault names: all that is stored, a client has sent.
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { target, rate, kinds = PROXY_FAULTS, mostInARow = Infinity, delay = 50 } = options
  const { hostname, port } = new URL(target)
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const underWay = new Set<Promise<unknown>>()
  const faults: Partial<Record<ProxyFault, number>> = {}
  const unanswered = new Map<string, number>()
  let late: { readonly passing: Passing; writes: number }[] = []
  let requests = 0

  function forward({ method, url, headers, body }: Passing, bytes = body.length): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ hostname, port, method, path: url, headers: [...headers], agent }, (incoming) => {
        bodyOf(incoming).then(
          (answer) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.rawHeaders, body: answer }),
          reject,
        )
      })
      outgoing.on('error', reject)
      if (bytes === body.length) outgoing.end(body)
      else outgoing.write(body.subarray(0, bytes), () => outgoing.destroy(new Error('cut')))
    })
  }

  function track<Result>(work: Promise<Result>): Promise<Result> {
    underWay.add(work)
    void work.catch(() => undefined).finally(() => underWay.delete(work))
    return work
  }

  /** Sends what is late and has let enough writes pass. */
  function sendLate(isTime: (writes: number) => boolean): void {
    const due = late.filter(({ writes }) => isTime(writes))
    late = late.filter((one) => !due.includes(one))
    for (const { passing } of due) void track(forward(passing).catch(() => undefined))
  }

  function faultOf({ method, url }: Passing, draw: () => number): ProxyFault | undefined {
    if (draw() >= rate) return undefined
    const fitting = kinds.filter((kind) => method === 'PUT' || !/409|late|cut request/.test(kind))
    const kind = fitting[Math.floor(draw() * fitting.length)]
    if (kind === undefined || kind === 'delay' || kind.endsWith('duplicate')) return kind
    const place = `${method} ${url}`
    const before = unanswered.get(place) ?? 0
    if (before >= mostInARow) {
      unanswered.delete(place)
      return undefined
    }
    unanswered.set(place, before + 1)
    return kind
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const draw = numbers(options.seed * 0x9e3779b1 + ++requests)
    const { method = 'GET', url = '/', rawHeaders } = incoming
    const passing: Passing = { method, url, headers: rawHeaders, body: await bodyOf(incoming) }
    const fault = faultOf(passing, draw)
    if (fault) faults[fault] = (faults[fault] ?? 0) + 1
    const cut = () => void response.destroy()
    switch (fault) {
      case 'cut':
        return cut()
      case 'cut request':
        await forward(passing, Math.floor(passing.body.length / 2)).catch(() => undefined)
        return cut()
      case '409':
      case '429':
      case '500':
      case '503':
        return refuse(response, Number(fault))
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, draw() * delay))
        break
      case 'late duplicate':
        late.push({ passing, writes: 1 + Math.floor(draw() * LATEST) })
        break
      default:
        break
    }
    let answer = await forward(passing)
    if (fault === 'duplicate') {
      const second = await forward(passing)
      if (draw() < 0.5) answer = second
    }
    if (method === 'PUT') {
      for (const one of late) one.writes--
      sendLate((writes) => writes < 0)
    }
    if (fault === 'swallow') return cut()
    if (fault === '500 after') return refuse(response, 500)
    response.writeHead(answer.status, [...answer.headers])
    if (fault !== 'cut answer') return void response.end(answer.body)
    response.write(answer.body.subarray(0, Math.floor(answer.body.length / 2)), cut)
  }

  const server = createServer((incoming, response) => {
    // Whoever left before the end, on either side, has no answer.
    track(handle(incoming, response)).catch(() => void response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests
    },
    faults,
    async settled() {
      sendLate(() => true)
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      agent.destroy()
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  }
  return proxy
}

function refuse(response: ServerResponse, status: number): void {
  const error = new S3Error(status, CODES[status] ?? 'InternalError', 'This answer was injected.')
  const body = errorXml(error, '/', 'fault-proxy')
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body)
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A sequence of numbers in [0, 1) that a seed repeats. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
