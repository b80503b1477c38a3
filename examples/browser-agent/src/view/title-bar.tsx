import type { JSX } from 'preact'
import type { Chat } from '../chat.ts'

/** The open session's title, and what can be done with the session as a whole. */
export function TitleBar({ chat }: { readonly chat: Chat }): JSX.Element {
  const { value: session } = chat.session
  const toggle = (panel: 'tree' | 'settings') => (chat.panel.value = chat.panel.value === panel ? 'none' : panel)
  return (
    <header class="title-bar">
      {session ? (
        <input
          aria-label="Title"
          class="title"
          maxLength={1024}
          placeholder="Untitled"
          key={`${session.id} ${session.title ?? ''}`}
          defaultValue={session.title ?? ''}
          onChange={({ currentTarget }) => void chat.rename(currentTarget.value)}
        />
      ) : (
        <span class="title" />
      )}
      <div class="actions">
        <button
          type="button"
          disabled={!session}
          aria-pressed={chat.panel.value === 'tree'}
          onClick={() => toggle('tree')}
        >
          Tree
        </button>
        <button type="button" disabled={!session} onClick={() => void download(chat)}>
          Export
        </button>
        <button
          type="button"
          disabled={!session || chat.answer.value !== undefined}
          class="danger"
          onClick={() => confirm('Delete this session for good?') && void chat.delete()}
        >
          Delete
        </button>
        <button type="button" aria-pressed={chat.panel.value === 'settings'} onClick={() => toggle('settings')}>
          Settings
        </button>
      </div>
    </header>
  )
}

async function download(chat: Chat): Promise<void> {
  const file = await chat.export()
  if (!file) return
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = file.name
  link.click()
  URL.revokeObjectURL(link.href)
}
