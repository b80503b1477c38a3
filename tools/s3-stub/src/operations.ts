import type { IncomingHttpHeaders } from 'node:http'
import { notImplemented, S3Error, StubBucket, type StubBucketOptions } from './bucket.ts'
import { deletedXml, listXml, parseDelete } from './xml.ts'

/** The operations that the stub knows, by the names of S3's API. */
export type Operation =
  | 'CreateBucket'
  | 'DeleteBucket'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'

/** A request taken apart: path style, `/<bucket>/<key>`. */
export interface StubRequest {
  readonly operation: Operation | 'unknown'
  readonly bucket: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
}

export function parseRequest(method: string, url: string, headers: IncomingHttpHeaders, body: Buffer): StubRequest {
  const { pathname, searchParams: query } = new URL(url, 'http://stub')
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/.exec(pathname) ?? []
  const operation = operationOf(method, key, query, headers)
  return { operation, bucket: decodeURIComponent(bucket), key: decodeURIComponent(key), query, headers, body }
}

function operationOf(
  method: string,
  key: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): Operation | 'unknown' {
  if (headers['x-amz-copy-source'] || headers['content-encoding']?.includes('aws-chunked')) return 'unknown'
  if (method === 'GET' && key === '' && query.get('list-type') === '2') return 'ListObjectsV2'
  // The SDK names the operation in `x-id`; any other part of a query asks for something else.
  const parts = [...query.keys()].filter((name) => name !== 'x-id').join()
  if (method === 'POST' && key === '' && parts === 'delete') return 'DeleteObjects'
  if (parts !== '') return 'unknown'
  if (key === '') return method === 'PUT' ? 'CreateBucket' : method === 'DELETE' ? 'DeleteBucket' : 'unknown'
  if (method === 'PUT') return 'PutObject'
  if (method === 'GET') return 'GetObject'
  if (method === 'HEAD') return 'HeadObject'
  return method === 'DELETE' ? 'DeleteObject' : 'unknown'
}

/** What holds for all requests to one stub. */
export interface Behaviour {
  readonly pageSize: number
  readonly ignoreConditions: boolean | 'If-Match' | 'If-None-Match'
  readonly bucketOptions: StubBucketOptions
}

/** Does what a request asks for. @throws {S3Error} */
export function perform(
  buckets: Map<string, StubBucket>,
  request: StubRequest,
  { pageSize, ignoreConditions, bucketOptions }: Behaviour,
): Answer {
  const { operation, key, headers, body } = request
  if (operation === 'CreateBucket') {
    // As in us-east-1: making one's own bucket again changes nothing.
    if (!buckets.has(request.bucket)) buckets.set(request.bucket, new StubBucket(bucketOptions))
    return { status: 200 }
  }
  const bucket = existing(buckets, request.bucket)
  const heeds = (header: string) => ignoreConditions !== true && ignoreConditions !== header
  const conditions = {
    ifMatch: heeds('If-Match') ? headers['if-match'] : undefined,
    ifNoneMatch: heeds('If-None-Match') ? headers['if-none-match'] : undefined,
  }
  switch (operation) {
    case 'DeleteBucket':
      if (bucket.size > 0) throw new S3Error(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty')
      buckets.delete(request.bucket)
      return { status: 204 }
    case 'ListObjectsV2':
      return { status: 200, body: list(bucket, request, pageSize) }
    case 'DeleteObjects': {
      // S3 refuses this one request without an integrity check.
      if (!Object.keys(headers).some((header) => /^(content-md5|x-amz-checksum-)/.test(header))) {
        throw new S3Error(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5')
      }
      const { keys, quiet } = parseDelete(body.toString())
      for (const one of keys) bucket.delete(one)
      return { status: 200, body: deletedXml(keys, quiet) }
    }
    case 'PutObject': {
      if (Buffer.byteLength(key) > 1024) throw new S3Error(400, 'KeyTooLongError', 'Your key is too long')
      const { etag, versionId } = bucket.put(key, body, conditions)
      return { status: 200, headers: { etag, ...(versionId && { 'x-amz-version-id': versionId }) } }
    }
    case 'GetObject':
    case 'HeadObject':
      return read(bucket, key, headers.range, operation === 'HeadObject')
    case 'DeleteObject':
      bucket.delete(key, conditions)
      return { status: 204 }
    default:
      throw notImplemented('A header or query you provided implies functionality that is not implemented.')
  }
}

export function existing(buckets: ReadonlyMap<string, StubBucket>, name: string): StubBucket {
  const bucket = buckets.get(name)
  if (!bucket) throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist')
  return bucket
}

function list(bucket: StubBucket, { bucket: name, query }: StubRequest, pageSize: number): string {
  const startAfter = query.get('start-after') ?? ''
  const continuationToken = query.get('continuation-token') ?? ''
  const asked = Number(query.get('max-keys') ?? 1000)
  if (!Number.isInteger(asked) || asked < 0) throw new S3Error(400, 'InvalidArgument', 'max-keys is no whole number')
  const page = {
    bucket: name,
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    after: continuationToken === '' ? startAfter : Buffer.from(continuationToken, 'base64url').toString(),
    limit: Math.min(asked, pageSize, 1000),
    startAfter,
    continuationToken,
    urlEncoded: query.get('encoding-type') === 'url',
  }
  const result = bucket.list(page)
  return listXml({ ...page, nextToken: result.next && Buffer.from(result.next).toString('base64url') }, result)
}

function read(bucket: StubBucket, key: string, range: string | undefined, head: boolean): Answer {
  const { body, etag, modified } = bucket.get(key)
  const headers = { etag, 'last-modified': modified.toUTCString(), 'accept-ranges': 'bytes' }
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? []
  if (from === '' && to === '') {
    return { status: 200, headers: head ? { ...headers, 'content-length': String(body.length) } : headers, body }
  }
  const start = from === '' ? Math.max(0, body.length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? body.length : Math.min(body.length, Number(to) + 1)
  if (start >= end) throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable')
  const part = { 'content-range': `bytes ${start}-${end - 1}/${body.length}` }
  return { status: 206, headers: { ...headers, ...part }, body: body.subarray(start, end) }
}
