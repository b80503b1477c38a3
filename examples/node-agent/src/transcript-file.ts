import { readFile } from 'node:fs/promises'
import { generateTranscript } from './generate-transcript.ts'
import { InputError } from './input-error.ts'
import { parseTranscript, type Transcript } from './transcript.ts'

/** Reads a transcript whole, so that one that is no good writes nothing; without a path it is a generated one. */
export async function readTranscript(path: string | undefined): Promise<Transcript> {
  if (path === undefined) return parseTranscript(generateTranscript())
  const text = await readText(path)
  try {
    return parseTranscript(text)
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`${path}: ${error.message}`)
    throw error
  }
}

async function readText(path: string): Promise<string> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reasonOf(error)}`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new InputError(`${path}: not a pi session: it is no text in UTF-8`)
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder'
    case 'EACCES':
      return 'permission denied'
    default:
      return (error as Error).message
  }
}
