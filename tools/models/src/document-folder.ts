/** The name of the document. */
export const DOCUMENT = 'doc'

/** A value at an index, or a seal: the name of the file in which the document goes on from this index. */
export interface Line {
  readonly at: number
  readonly value?: string
  readonly next?: string
}

/** The files of one document. */
export interface Folder {
  /** Each file's lines. A file lives as long as it has a name or is open. */
  files: (Line[] | null)[]
  names: Record<string, number>
}

/** Gives a file the document's name; where it is gone, somebody did so before. */
export function move(state: Folder, name: string): void {
  const file = state.names[name]
  if (file === undefined) return
  delete state.names[name]
  state.names[DOCUMENT] = file
}

/** The file in which a seal says that the document goes on, if it is there under its own name. */
export function nextOf(state: Folder): string | undefined {
  const next = state.files[state.names[DOCUMENT] ?? -1]?.at(-1)?.next
  return next !== undefined && state.names[next] !== undefined ? next : undefined
}

/** The value that whoever asks now is given; undefined if the seal leads nowhere. */
export function current(state: Folder): Line | undefined {
  let line = state.files[state.names[DOCUMENT] ?? -1]?.at(-1)
  while (line?.next !== undefined) line = state.files[state.names[line.next] ?? -1]?.at(-1)
  return line
}
