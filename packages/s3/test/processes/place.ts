import { S3Client } from '@aws-sdk/client-s3'
import { openSessions, systemClock, type Clock, type Sessions, type StorageAdapter } from '@sessiontree/core'
import { s3 } from '@sessiontree/s3'
import type { Place } from '../servers.ts'

/** What is said in the sessions of these tests. */
export type Message = { readonly role: string; readonly content: string }

/** What a process of its own is told: where the store lies, and who it is. */
export interface Orders {
  readonly place: Place
  readonly prefix: string
  readonly id: string
  readonly actor: string
  /** How many messages to append, or which of its PUTs the process is stopped before. */
  readonly count: number
  /** Where to write the history. */
  readonly history: string
}

export function orders(): Orders {
  return JSON.parse(process.env['ORDERS'] ?? '') as Orders
}

/** Pauses are a fifth as long: it is the server that is slow here, not the network. */
export const briskClock: Clock = {
  ...systemClock,
  timer: (milliseconds, wake) => systemClock.timer(milliseconds < 10_000 ? milliseconds / 5 : milliseconds, wake),
}

export function openAdapter({ place, prefix }: Orders): {
  readonly client: S3Client
  readonly adapter: StorageAdapter
} {
  const client = new S3Client({ ...place.config, maxAttempts: 1 })
  return { client, adapter: s3({ client, bucket: place.bucket, prefix, clock: briskClock }) }
}

export function openOn(adapter: StorageAdapter, clock: Clock = briskClock): Sessions<Message> {
  return openSessions(adapter, { clock })
}

/** Microseconds of a clock that never goes back and is the same for all processes of this machine. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1000n)
