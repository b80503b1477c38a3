import { S3Client } from '@aws-sdk/client-s3'
import { openSessions } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'

const client = new S3Client({ region: 'eu-central-1' })

/** A serverless function: cold each time, while another instance may be writing to the same session. */
export async function handler(event: { readonly session: string; readonly text: string }): Promise<number> {
  const sessions = openSessions(s3({ client, bucket: 'my-agents', prefix: 'support/' }))
  const session = await sessions.getOrCreate(event.session)
  await session.append({ role: 'user', content: event.text })
  const { messages } = await session.context() // call it again: one message more than before
  await sessions.close()
  return messages.length
}
