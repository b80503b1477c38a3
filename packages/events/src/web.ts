/**
 * What every modern runtime has of the web's streams, as far as it is needed here: structural types, so that neither DOM nor Node
 * types are. The only file of this package that reads the platform.
 */

/** A byte stream being made. */
export interface StreamController {
  enqueue(chunk: Uint8Array): void
  close(): void
}

interface StreamSource {
  pull(controller: StreamController): Promise<void>
  cancel(reason: unknown): Promise<void> | void
}

interface Web {
  readonly ReadableStream: new (source: StreamSource, strategy: { readonly highWaterMark: number }) => unknown
  readonly Response: new (
    body: unknown,
    init: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
  ) => unknown
  readonly TextEncoder: new () => { encode(text: string): Uint8Array }
}

/** The runtime's `ReadableStream<Uint8Array>`, where its types are known. */
export type ByteStream = typeof globalThis extends { Response: { prototype: { body: infer Body } } }
  ? NonNullable<Body>
  : AsyncIterable<Uint8Array>

/** The runtime's `Response`, where its types are known. */
export type WebResponse = typeof globalThis extends { Response: { prototype: infer Instance } }
  ? Instance
  : { readonly status: number; readonly body: AsyncIterable<Uint8Array> | null }

export const web: Web = globalThis as unknown as Web
