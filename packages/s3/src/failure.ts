import { SessionError, UncertainError, type ErrorCode } from '@sessiontree/core'

/** What a failed request says about itself. */
export interface Failure {
  /** 0: no answer came. */
  readonly status: number
  readonly code: string
  /** How often the client sent it. */
  readonly attempts: number
  /** The same request may succeed later. */
  readonly passing: boolean
  /** Nothing was written, neither by this request nor by one that the client sent before it on its own. */
  readonly sure: boolean
  readonly cause: unknown
}

/** The reason with which an attempt is given up after its time. */
export class AttemptTimeout extends Error {
  override readonly name: string = 'TimeoutError'
}

interface ServiceError {
  readonly name?: string
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number }
  readonly $response?: { readonly statusCode?: number }
}

// No connection, so nothing was sent.
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CredentialsProviderError', 'TokenProviderError'])
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'TokenProviderError'])
// AWS sends these with 400.
const TOKEN_IS_BAD = new Set(['ExpiredToken', 'InvalidToken', 'TokenRefreshRequired'])
const KEY_IS_BAD = new Set(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidSecurity', 'NotSignedUp'])
const WRONG_PLACE = new Set(['NoSuchBucket', 'InvalidBucketName', 'PermanentRedirect', 'AuthorizationHeaderMalformed'])

export function analyse(cause: unknown): Failure {
  const error = (typeof cause === 'object' && cause !== null ? cause : {}) as ServiceError
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode ?? 0
  const code = status === 0 && typeof error.code === 'string' ? error.code : (error.name ?? 'UnknownError')
  const late = status === 408 || code === 'RequestTimeout'
  const passing =
    late ||
    status === 409 ||
    status === 429 ||
    (status >= 500 && status !== 501) ||
    (status < 300 && !NO_CREDENTIALS.has(code))
  const refused = (status >= 300 && status < 500 && !late) || status === 501 || (status === 0 && NEVER_SENT.has(code))
  const attempts = error.$metadata?.attempts ?? 1
  return { status, code, attempts, passing, sure: refused && attempts <= 1, cause }
}

/** The store itself says so: nothing else means that something is absent. */
export const isNoSuchKey = ({ status, code }: Failure): boolean => status === 404 && code === 'NoSuchKey'

/** The error for a failure after which it is known that nothing was written, or that only read. */
export function errorOf({ status, code, cause }: Failure, operation: string, bucket: string): SessionError {
  const [kind, advice] = explain(status, code, operation, cause)
  const answer = status === 0 ? code : `${status} ${code}`
  return new SessionError(kind, `S3 bucket "${bucket}": ${operation} failed with ${answer}. ${advice}`, {
    cause,
    retry: kind === 'BUSY' || kind === 'TIMEOUT' || (kind === 'UNAVAILABLE' && (status === 0 || status >= 500)),
  })
}

/** The error for a write that may or may not have happened, or may still happen. */
export function uncertain({ status, code, cause }: Failure, operation: string, bucket: string): SessionError {
  const answer = status === 0 ? code : `${status} ${code}`
  return new UncertainError(
    `S3 bucket "${bucket}": nobody can tell whether a ${operation} took effect; its last attempt ended with ${answer}.`,
    { cause },
  )
}

function explain(status: number, code: string, operation: string, cause: unknown): [ErrorCode, string] {
  if (cause instanceof AttemptTimeout) return ['TIMEOUT', 'The store did not answer in time.']
  if (code === 'QuotaExceeded' || status === 507) return ['QUOTA', 'The store is full.']
  if (NO_CREDENTIALS.has(code)) return ['DENIED', 'The client found no credentials; give it some.']
  if (KEY_IS_BAD.has(code)) {
    return ['DENIED', "The store does not know the client's credentials: check its access key, secret and endpoint."]
  }
  if (TOKEN_IS_BAD.has(code)) return ['DENIED', "The client's credentials have expired or are not valid; renew them."]
  if (code === 'RequestTimeTooSkewed') return ['DENIED', 'The clock of this machine is wrong by minutes; set it right.']
  if (WRONG_PLACE.has(code) || (status >= 300 && status < 400)) {
    return ['UNAVAILABLE', "Check the bucket's name and the client's region and endpoint."]
  }
  if (status === 401 || status === 403)
    return ['DENIED', `The credentials may not do that: allow ${permissionFor(operation)}.`]
  if (status === 501 || code === 'NotImplemented') return ['UNSUPPORTED', 'This store cannot do that; see the README.']
  if (status === 413 || code === 'EntityTooLarge') return ['TOO_LARGE', 'The store takes no object of this size.']
  if (status === 404) return ['UNAVAILABLE', "Not an answer of S3; check the client's endpoint."]
  if (status === 409 || status === 429 || (status === 503 && code === 'SlowDown')) return ['BUSY', 'Try again later.']
  if (status < 300 || status >= 500) return ['UNAVAILABLE', 'The store does not answer as it should; try again later.']
  return ['IO', 'See the cause.']
}

function permissionFor(operation: string): string {
  if (operation === 'ListObjectsV2') return 's3:ListBucket on the bucket'
  if (operation === 'GetObject') {
    return 's3:GetObject on its objects, and s3:ListBucket on the bucket (without that, S3 answers 403 for what is not there)'
  }
  return `s3:${operation === 'DeleteObjects' ? 'DeleteObject' : operation} on its objects`
}
