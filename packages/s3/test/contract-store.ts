import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { Costs, TestStore } from '@sessiontree/contract'
import type { S3Options } from '@sessiontree/s3'
import { indexOfSlot, storeKeys } from '../src/keys.ts'
import { decodeLogObject } from '../src/log-object.ts'
import { loseNextPut, openStore, type Place } from './servers.ts'

/**
 * A store for the contract suite in a bucket of its own, with everything that can be done to one below the adapter. `through` is the endpoint that
 * its handles use, if it is another one.
 */
export async function contractStore(
  place: Place,
  maxAttempts: number,
  options: Partial<S3Options> = {},
  through?: string,
): Promise<TestStore> {
  const bucket = `contract-${crypto.randomUUID()}`
  const store = openStore({ ...place, bucket })
  const { client } = store
  const owner = new S3Client(place.config)
  await owner.send(new CreateBucketCommand({ Bucket: bucket }))
  const keys = storeKeys(store.prefix)
  const wire = new Wire()

  const newClient = () => {
    const one = store.newClient({ maxAttempts, ...(through !== undefined && { endpoint: through }) })
    wire.observe(one)
    return one
  }
  const keysBelow = async (prefix: string): Promise<string[]> => {
    const found: string[] = []
    for (let after: string | undefined; ; after = found.at(-1)) {
      const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, StartAfter: after }))
      found.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
      if (!page.IsTruncated) return found
    }
  }
  const fetch = async (key: string): Promise<Uint8Array> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return (await Body?.transformToByteArray()) ?? new Uint8Array()
  }
  const spoil = (key: string, body: Uint8Array) =>
    client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: spoiled(body) }))

  return {
    open: async () => store.open({ bucket, client: newClient(), ...options }),
    async openLosingNextAnswer() {
      const one = newClient()
      // Appends, puts and removals are each one PutObject.
      loseNextPut(one)
      return store.open({ bucket, client: one, ...options })
    },
    async damage(log, at) {
      const whole = new Set<number>()
      let end = 0
      for (const key of await keysBelow(keys.log(log))) {
        const slot = indexOfSlot(key.slice(keys.log(log).length))
        const body = await fetch(key)
        const object = slot === undefined ? undefined : decodeLogObject(body, slot)
        if (!object) continue
        end = Math.max(end, object.end)
        if (object.from <= at && at < object.end) await spoil(key, body)
        else for (let index = object.from; index < object.end; index++) whole.add(index)
      }
      return Array.from({ length: end }, (_, index) => index).filter((index) => !whole.has(index))
    },
    async damageDocument(key) {
      await spoil(keys.document(key), await fetch(keys.document(key)))
    },
    async vanish() {
      await store.empty()
      await owner.send(new DeleteBucketCommand({ Bucket: bucket }))
    },
    crash: () => wire.cut(),
    costs: (): Costs => wire.costs,
    async destroy() {
      // Again, if it is gone: making one's own bucket twice changes nothing.
      await owner.send(new CreateBucketCommand({ Bucket: bucket }))
      await store[Symbol.asyncDispose]()
      await owner.send(new DeleteBucketCommand({ Bucket: bucket }))
      owner.destroy()
    },
  }
}

/** Flips a byte of the first text, or of the header if there is none: the checksum covers both. */
function spoiled(body: Uint8Array): Uint8Array {
  const copy = body.slice()
  const at = copy.indexOf(10) + 1
  copy[at] = copy[at] === 120 ? 121 : 120
  return copy
}

/** What goes to the server and comes back, of all clients of one store, until their process ends. */
class Wire {
  readonly #spent = { operations: 0, bytesRead: 0, bytesWritten: 0 }
  #life = { alive: true, underWay: new Set<Promise<unknown>>() }

  get costs(): Costs {
    return { ...this.#spent }
  }

  observe(client: S3Client): void {
    const life = this.#life
    client.middlewareStack.add(
      (next) => async (args) => {
        if (!life.alive) throw dead()
        this.#spent.operations++
        this.#spent.bytesWritten += lengthOf((args.request as { body?: unknown }).body)
        const answering = next(args)
        life.underWay.add(answering)
        try {
          const answer = await answering
          this.#spent.bytesRead += contentLength(answer.response)
          if (!life.alive) throw dead()
          return answer
        } finally {
          life.underWay.delete(answering)
        }
      },
      // Next to the connection: one step for each attempt.
      { step: 'deserialize', name: 'observe', priority: 'low' },
    )
  }

  /** Ends the process: requests under way arrive, their answers reach nobody, and no other is sent. */
  async cut(): Promise<void> {
    const ending = this.#life
    this.#life = { alive: true, underWay: new Set() }
    ending.alive = false
    await Promise.allSettled(ending.underWay)
  }
}

// Refused for good, so that neither the client nor the adapter tries again.
const dead = () =>
  Object.assign(new Error('The process is dead.'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } })

const lengthOf = (body: unknown) =>
  typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : 0

function contentLength(response: unknown): number {
  const { headers, statusCode } = response as { headers: Record<string, string>; statusCode: number }
  // An error's text, and the keys of a listing, are not content.
  return statusCode < 300 && headers['etag'] ? Number(headers['content-length'] ?? 0) : 0
}
