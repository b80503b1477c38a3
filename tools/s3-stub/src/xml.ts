import { S3Error, type ListQuery, type ListResult } from './bucket.ts'

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escape = (text: string) => text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character)

function unescape(text: string): string {
  return text
    .replaceAll(/&#(x?)([0-9a-f]+);/gi, (_, hex: string, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, hex ? 16 : 10)),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
}

export function errorXml(error: S3Error, resource: string, requestId: string): string {
  const { code, message } = error
  return `${HEAD}<Error><Code>${code}</Code><Message>${escape(message)}</Message><Resource>${escape(resource)}</Resource><RequestId>${requestId}</RequestId></Error>`
}

/** What the request for a page said beside the query itself, and how the next page is asked for. */
export interface ListRequest extends ListQuery {
  readonly bucket: string
  readonly startAfter: string
  readonly continuationToken: string
  readonly nextToken: string | undefined
  readonly urlEncoded: boolean
}

export function listXml(request: ListRequest, result: ListResult): string {
  const text = (value: string) => escape(request.urlEncoded ? encodeURIComponent(value) : value)
  const optional = (tag: string, value: string | undefined) => (value ? `<${tag}>${text(value)}</${tag}>` : '')
  const contents = result.objects.map(
    ([key, { body, etag, modified }]) =>
      `<Contents><Key>${text(key)}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>${escape(etag)}</ETag>` +
      `<Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  )
  const groups = result.prefixes.map((prefix) => `<CommonPrefixes><Prefix>${text(prefix)}</Prefix></CommonPrefixes>`)
  return [
    `${HEAD}<ListBucketResult ${NAMESPACE}><Name>${request.bucket}</Name><Prefix>${text(request.prefix)}</Prefix>`,
    optional('Delimiter', request.delimiter),
    optional('StartAfter', request.startAfter),
    optional('ContinuationToken', request.continuationToken),
    optional('NextContinuationToken', request.nextToken),
    request.urlEncoded ? '<EncodingType>url</EncodingType>' : '',
    `<MaxKeys>${request.limit}</MaxKeys><KeyCount>${contents.length + groups.length}</KeyCount>`,
    `<IsTruncated>${result.next !== undefined}</IsTruncated>`,
    ...contents,
    ...groups,
    '</ListBucketResult>',
  ].join('')
}

/** The keys that the body of a DeleteObjects request names, and whether it asks for a short answer. */
export function parseDelete(xml: string): { keys: string[]; quiet: boolean } {
  const keys = [...xml.matchAll(/<Object>\s*(?:<[^K][^>]*>[^<]*<\/[^>]*>\s*)*<Key>([^<]*)<\/Key>/g)].map((match) =>
    unescape(match[1] ?? ''),
  )
  if (keys.length === 0 || keys.length > 1000) {
    throw new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate')
  }
  return { keys, quiet: /<Quiet>\s*true\s*<\/Quiet>/.test(xml) }
}

export function deletedXml(keys: readonly string[], quiet: boolean): string {
  const deleted = quiet ? [] : keys.map((key) => `<Deleted><Key>${escape(key)}</Key></Deleted>`)
  return `${HEAD}<DeleteResult ${NAMESPACE}>${deleted.join('')}</DeleteResult>`
}
