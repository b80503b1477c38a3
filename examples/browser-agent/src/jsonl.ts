import { isMessageEntry, type Entry, type RoleMessage, type Session, type Sessions } from '@sessiontree/core'

interface Header {
  readonly type: 'sessiontree_export'
  readonly version: 1
  readonly title?: string
  readonly leaf: string | null
}

/** A line that cannot be imported. */
export class ImportError extends Error {}

const MAX_LINES = 100_000

/** A session as JSONL: a header, then every entry of every branch in the order of appending. */
export async function exportJsonl(session: Session<RoleMessage>): Promise<string> {
  const leaf = await session.leaf()
  const header: Header = {
    type: 'sessiontree_export',
    version: 1,
    ...(session.title === undefined ? {} : { title: session.title }),
    leaf: leaf?.id ?? null,
  }
  const lines = [JSON.stringify(header)]
  for await (const { position: _, hash: _hash, digest: _digest, ...entry } of session.entries()) {
    lines.push(JSON.stringify(entry))
  }
  return `${lines.join('\n')}\n`
}

/**
 * Makes a session of what {@link exportJsonl} wrote; resolves with it. The whole text is checked before anything is written.
 *
 * @throws {ImportError} that names the line.
 */
export async function importJsonl(sessions: Sessions<RoleMessage>, text: string): Promise<Session<RoleMessage>> {
  const { header, entries } = checkJsonl(text)
  const session = await sessions.create(undefined, { title: header.title })
  for (const { id, parentId, createdAt, turnId: _, ...content } of entries) {
    // Markers tell of turns of the old session; what they said is over.
    await session.record(content, { id, parent: parentId, createdAt })
  }
  await session.moveTo(header.leaf)
  return session
}

type Line = Pick<Entry, 'id' | 'parentId' | 'createdAt' | 'turnId'> & { readonly type: string }

function checkJsonl(text: string): { readonly header: Header; readonly entries: readonly Line[] } {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length > MAX_LINES) throw new ImportError(`The file has more than ${MAX_LINES} lines.`)
  const header = parse(lines[0] ?? '', 1) as Partial<Header>
  if (header.type !== 'sessiontree_export' || header.version !== 1) {
    throw new ImportError('Line 1 is no header of an exported session; choose a file that this page exported.')
  }
  const ids = new Set<string>()
  const entries = lines.slice(1).map((line, i) => {
    const entry = parse(line, i + 2) as Partial<Line>
    const { id, parentId, createdAt, type } = entry
    const isEntry =
      typeof id === 'string' &&
      id !== '' &&
      typeof type === 'string' &&
      typeof createdAt === 'string' &&
      !Number.isNaN(Date.parse(createdAt))
    if (!isEntry) throw new ImportError(`Line ${i + 2} is no entry: it needs id, type and createdAt.`)
    if (ids.has(id)) throw new ImportError(`Line ${i + 2} has the id of an entry before it.`)
    if (parentId !== null && !ids.has(parentId as string)) {
      throw new ImportError(`Line ${i + 2} follows an entry that is not before it.`)
    }
    const { message } = entry as { message?: { role?: unknown } }
    if (isMessageEntry(entry as Entry) && typeof message?.role !== 'string') {
      throw new ImportError(`Line ${i + 2} is a message without a role.`)
    }
    ids.add(id)
    return entry as Line
  })
  const { leaf = null } = header
  if (leaf !== null && !ids.has(leaf)) throw new ImportError('The header names a leaf that is not in the file.')
  return { header: header as Header, entries }
}

function parse(line: string, number: number): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below.
  }
  throw new ImportError(`Line ${number} is not a JSON object.`)
}
