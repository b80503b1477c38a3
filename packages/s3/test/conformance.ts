import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type ListObjectsV2CommandInput,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'

/** What a store answers to everything that the adapter relies on, in a form that two stores can be compared by. */
export async function probe(client: S3Client, bucket: string, prefix: string): Promise<Record<string, unknown>> {
  const at = (key: string) => ({ Bucket: bucket, Key: prefix + key })
  const put = (key: string, body: string, condition: Partial<PutObjectCommandInput> = {}) =>
    answer(client.send(new PutObjectCommand({ ...at(key), Body: new TextEncoder().encode(body), ...condition })))
  const get = (key: string, Range?: string) =>
    answer(
      client.send(new GetObjectCommand({ ...at(key), Range })).then(async (output) => {
        return { ...output, text: await output.Body?.transformToString() }
      }),
    )
  const remove = (key: string, IfMatch?: string) =>
    answer(client.send(new DeleteObjectCommand({ ...at(key), IfMatch })))
  const list = async (query: Partial<ListObjectsV2CommandInput> = {}) => {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        ...query,
        Prefix: prefix + (query.Prefix ?? ''),
        StartAfter: query.StartAfter && prefix + query.StartAfter,
      }),
    )
    const plain = (key = '') => key.slice(prefix.length)
    return {
      keys: (page.Contents ?? []).map(({ Key }) => plain(Key)),
      prefixes: (page.CommonPrefixes ?? []).map(({ Prefix }) => plain(Prefix)),
      truncated: page.IsTruncated,
      count: page.KeyCount,
      next: page.NextContinuationToken,
      etags: (page.Contents ?? []).map(({ ETag }) => ETag),
      sizes: (page.Contents ?? []).map(({ Size }) => Size),
      named: page.Name === bucket,
    }
  }
  const seen: Record<string, unknown> = {}
  const note = (what: string, value: unknown) => void (seen[what] = value)

  // Create
  const first = await put('c/a', 'one', { IfNoneMatch: '*' })
  note('create', first.status)
  note('create again', brief(await put('c/a', 'two', { IfNoneMatch: '*' })))
  note('create again left it', (await get('c/a')).text)
  note(
    '20 creates at once',
    tally(await Promise.all(range(20).map((i) => put('c/race', String(i), { IfNoneMatch: '*' })))),
  )

  // Replace
  const etag = first.etag ?? ''
  note('replace', (await put('c/a', 'two', { IfMatch: etag })).status)
  note('replace a stale one', brief(await put('c/a', 'three', { IfMatch: etag })))
  note(
    'replace with an ETag that never was',
    brief(await put('c/a', 'three', { IfMatch: '"00000000000000000000000000000000"' })),
  )
  note('replace what is absent', brief(await put('c/none', 'x', { IfMatch: etag })))
  note('and it is still absent', brief(await get('c/none')))
  const raced = (await put('c/swap', 'x')).etag ?? ''
  note(
    '20 replacements at once',
    tally(await Promise.all(range(20).map((i) => put('c/swap', String(i), { IfMatch: raced })))),
  )

  // ETags
  const [one, same, other] = [await put('e/1', 'text'), await put('e/2', 'text'), await put('e/3', 'other')]
  note('an ETag has quotes and is the MD5', one.etag)
  note('equal contents have equal ETags, others not', [one.etag === same.etag, one.etag === other.etag])
  const [body, head, listed] = [
    await get('e/1'),
    await answer(client.send(new HeadObjectCommand(at('e/1')))),
    await list({ Prefix: 'e/' }),
  ]
  note(
    'GET, HEAD and LIST name the same ETag',
    [body.etag, head.etag, listed.etags[0]].map((tag) => tag === one.etag),
  )
  note('sizes in a listing', listed.sizes)

  // Remove
  note('remove a stale one', brief(await remove('e/1', other.etag)))
  note('remove the right one', brief(await remove('e/1', one.etag)))
  note('and it is gone', brief(await get('e/1')))
  note('remove what is absent', brief(await remove('e/1')))
  // AWS says 404 here, RGW 204: both mean that there is nothing to remove.
  note('remove what is absent, by ETag', [204, 404].includes((await remove('e/1', one.etag)).status))
  const batch = await client.send(
    new DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Objects: ['e/2', 'e/3', 'e/none'].map((key) => ({ Key: at(key).Key })) },
    }),
  )
  note('batch delete', [batch.Deleted?.map(({ Key }) => Key?.slice(prefix.length)).toSorted(), batch.Errors ?? []])
  note('after it', (await list({ Prefix: 'e/' })).keys)

  // Ranges
  await put('r', '0123456789')
  for (const bytes of ['bytes=0-3', 'bytes=8-99', 'bytes=-2', 'bytes=10-20']) {
    const { status, code, text } = await get('r', bytes)
    note(`range ${bytes}`, [status, code, text])
  }

  // Absent
  note('HEAD of nothing', (await answer(client.send(new HeadObjectCommand(at('none'))))).status)
  const nowhere = { Bucket: `${bucket}-missing`, Key: 'k' }
  note('bucket missing', [
    brief(await answer(client.send(new GetObjectCommand(nowhere)))),
    brief(await answer(client.send(new PutObjectCommand({ ...nowhere, Body: new Uint8Array(1) })))),
    brief(await answer(client.send(new ListObjectsV2Command({ Bucket: nowhere.Bucket })))),
  ])
  note('create the bucket again', brief(await answer(client.send(new CreateBucketCommand({ Bucket: bucket })))))

  // Listings
  const names = ['a!', 'a!/!', 'a!/0', 'a!/f', 'a-b!', 'a.b!', 'a/b!', 'a/b!/0', 'a0!', 'a_!', 'aa!', 'a~!', "a'(*)!"]
  for (const name of names) await put(`l/${name}`, name)
  const all = await list({ Prefix: 'l/' })
  note('order', all.keys)
  note('a page', await page(list({ Prefix: 'l/', MaxKeys: 3 })))
  note('start after a key', await page(list({ Prefix: 'l/', StartAfter: 'l/a!/f', MaxKeys: 2 })))
  note('start after what is no key', await page(list({ Prefix: 'l/', StartAfter: 'l/a.', MaxKeys: 2 })))
  note('start after the last', await page(list({ Prefix: 'l/', StartAfter: 'l/a~!' })))
  note('grouped', await page(list({ Prefix: 'l/', Delimiter: '!' })))
  note('grouped, a page', await page(list({ Prefix: 'l/', Delimiter: '!', MaxKeys: 3 })))
  note('grouped, after a group', await page(list({ Prefix: 'l/', Delimiter: '!', StartAfter: 'l/a!0', MaxKeys: 2 })))
  note('names its bucket', (await list({ Prefix: 'nothing/' })).named)
  note('nothing', await page(list({ Prefix: 'nothing/' })))
  for (const Delimiter of [undefined, '!']) {
    const pages: string[][] = []
    let token: string | undefined
    do {
      const { keys, prefixes, next } = await list({ Prefix: 'l/', MaxKeys: 5, Delimiter, ContinuationToken: token })
      pages.push([...keys, ...prefixes])
      token = next
    } while (token)
    note(`by continuation token, delimiter ${Delimiter}`, pages)
  }
  return seen
}

interface Seen {
  readonly status: number
  readonly code: string | undefined
  readonly etag: string | undefined
  readonly text: string | undefined
}

async function answer(request: Promise<object>): Promise<Seen> {
  try {
    const { $metadata, ETag, text } = (await request) as {
      $metadata: { httpStatusCode?: number }
      ETag?: string
      text?: string
    }
    return { status: $metadata.httpStatusCode ?? 0, code: undefined, etag: ETag, text }
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } }
    return { status: $metadata?.httpStatusCode ?? 0, code: name, etag: undefined, text: undefined }
  }
}

const brief = ({ status, code }: Seen) => (code ? `${status} ${code}` : String(status))

const page = async (
  listed: Promise<{ keys: string[]; prefixes: string[]; truncated?: boolean | undefined; count?: number | undefined }>,
) => {
  const { keys, prefixes, truncated, count } = await listed
  return { keys, prefixes, truncated, count }
}

/** One winner; a loser may be told 412, or 409 to try again. */
function tally(answers: readonly Seen[]): { won: number; lost: number; other: readonly string[] } {
  return {
    won: answers.filter(({ status }) => status === 200).length,
    lost: answers.filter(({ status }) => status === 412 || status === 409).length,
    other: answers.filter(({ status }) => ![200, 412, 409].includes(status)).map(brief),
  }
}

const range = (length: number) => Array.from({ length }, (_, i) => i)
