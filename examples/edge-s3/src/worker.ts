import { S3Client } from '@aws-sdk/client-s3'
import { openSessions, SessionError, type ErrorCode, type RoleMessage, type Sessions } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'
import { runAgent } from './agent.ts'

/** What the worker is told by its bindings. */
export interface Environment {
  readonly S3_ENDPOINT: string
  readonly S3_REGION: string
  readonly S3_BUCKET: string
  readonly S3_ACCESS_KEY_ID: string
  readonly S3_SECRET_ACCESS_KEY: string
}

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  NOT_FOUND: 404,
  DELETED: 410,
  ACTIVE_TURN: 409,
  CONFLICT: 409,
  TOO_LARGE: 413,
  BUSY: 503,
  UNAVAILABLE: 503,
}
const MOST_BYTES = 64_000

/** `POST /sessions/:id` runs a turn on `{"text": …}` and answers what the agent said; `GET` answers what the model would be shown. */
// oxlint-disable-next-line import/no-default-export -- the runtime looks for the handler there
export default {
  async fetch(request: Request, environment: Environment): Promise<Response> {
    const id = /^\/sessions\/([\w-]{1,64})$/.exec(new URL(request.url).pathname)?.[1]
    if (id === undefined)
      return failure(404, 'NOT_FOUND', 'expected /sessions/:id, where the id is up to 64 letters, digits, "-" and "_"')
    const sessions = openSessions(adapter(environment))
    try {
      if (request.method === 'POST') return await post(sessions, id, await request.text())
      if (request.method === 'GET') return await get(sessions, id)
      return failure(405, 'METHOD', 'expected GET or POST')
    } catch (error) {
      if (SessionError.is(error)) return failure(STATUS[error.code] ?? 500, error.code, error.message)
      throw error
    } finally {
      await sessions.close()
    }
  },
}

async function post(sessions: Sessions<RoleMessage>, id: string, body: string): Promise<Response> {
  const text = body.length > MOST_BYTES ? undefined : textOf(body)
  if (text === undefined) return failure(400, 'INVALID', `expected {"text": "…"} of at most ${MOST_BYTES} characters`)
  const session = await sessions.getOrCreate(id)
  await using turn = await session.beginTurn()
  await turn.append({ role: 'user', content: text })
  const answer = await runAgent(turn)
  await turn.complete()
  return Response.json({ session: id, turn: turn.id, answer })
}

async function get(sessions: Sessions<RoleMessage>, id: string): Promise<Response> {
  const session = await sessions.open(id)
  const { messages, complete } = await session.context()
  return Response.json({ session: id, messages, complete })
}

function adapter(environment: Environment) {
  const client = new S3Client({
    endpoint: environment.S3_ENDPOINT,
    region: environment.S3_REGION,
    forcePathStyle: true,
    credentials: {
      accessKeyId: environment.S3_ACCESS_KEY_ID,
      secretAccessKey: environment.S3_SECRET_ACCESS_KEY,
    },
  })
  return s3({ client, bucket: environment.S3_BUCKET, prefix: 'edge/' })
}

function textOf(body: string): string | undefined {
  try {
    const { text } = JSON.parse(body) as { text?: unknown }
    return typeof text === 'string' && text !== '' ? text : undefined
  } catch {
    return undefined
  }
}

function failure(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status })
}
