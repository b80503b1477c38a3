import { isUtf8 } from 'node:buffer'
import { crc32 } from 'node:zlib'

/** The checksum of a record, which also covers where it belongs. */
export function recordChecksum(log: string, at: number, text: string | Uint8Array): number {
  return crc32(text, crc32(`${log} ${at} `))
}

/** The checksum of a document, which also covers its key and version. */
export function documentChecksum(key: string, version: string, value: string | Uint8Array): number {
  return crc32(value, crc32(`${key} ${version} `))
}

/** The text of bytes, or undefined if they are none. Bytes, because `node:sqlite` of Node 22 ends a TEXT at U+0000. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
