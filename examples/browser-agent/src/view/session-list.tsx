import type { SessionInfo } from '@sessiontree/core'
import type { JSX } from 'preact'
import type { Chat } from '../chat.ts'

/** The sessions of this browser, the newest first. */
export function SessionList({ chat }: { readonly chat: Chat }): JSX.Element {
  const open = chat.session.value?.id
  return (
    <nav class="sessions" aria-label="Sessions">
      <header>
        <h1>Sessiontree</h1>
        <button type="button" class="primary" onClick={() => void chat.create()}>
          New chat
        </button>
      </header>
      <ul>
        {chat.sessions.value.map((session) => (
          <li key={session.id}>
            <a href={`#${encodeURIComponent(session.id)}`} aria-current={session.id === open ? 'page' : undefined}>
              <span class="title">{nameOf(session)}</span>
              <small>{detailOf(session)}</small>
            </a>
          </li>
        ))}
      </ul>
      <label class="button quiet">
        Import JSONL
        <input
          type="file"
          accept=".jsonl,application/jsonl"
          onChange={({ currentTarget }) => {
            const [file] = currentTarget.files ?? []
            if (file) void chat.import(file)
            currentTarget.value = ''
          }}
        />
      </label>
    </nav>
  )
}

const nameOf = ({ title, problem }: SessionInfo) => (problem ? 'Damaged session' : (title ?? 'Untitled'))

function detailOf({ createdAt, status, forkedFrom, problem }: SessionInfo): string {
  if (problem) return problem.code
  const time = new Date(createdAt).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' })
  const more = [
    forkedFrom ? 'fork' : '',
    status === undefined || status === 'completed' || status === 'idle' ? '' : status,
  ]
  return [time, ...more.filter((word) => word !== '')].join(' · ')
}
