import { roleContent, type Entry, type RoleMessage } from '@sessiontree/core'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Chat } from '../chat.ts'
import { SafeText } from './safe-text.tsx'

const format = roleContent()
const NAMES: Readonly<Record<string, string>> = {
  user_message: 'You',
  assistant_message: 'Agent',
  tool_call: 'Agent',
  tool_result: 'Tool',
  system_message: 'System',
}

/** One message of the conversation. */
export function Message({
  chat,
  entry,
}: {
  readonly chat: Chat
  readonly entry: Entry<RoleMessage> & { readonly message: RoleMessage }
}): JSX.Element {
  const [isEditing, setEditing] = useState(false)
  const { text = '', calls = [], results = [] } = format.read?.(entry.message) ?? {}
  const isUser = entry.type === 'user_message'
  const isBusy = chat.answer.value !== undefined
  return (
    <article
      class={`message ${isUser ? 'user' : entry.type === 'tool_result' ? 'tool' : 'assistant'}`}
      data-entry={entry.id}
    >
      <header>{NAMES[entry.type]}</header>
      {isEditing ? (
        <EditForm
          text={text}
          onCancel={() => setEditing(false)}
          onSend={(words) => {
            setEditing(false)
            void chat.edit(entry, words)
          }}
        />
      ) : (
        text !== '' && <SafeText text={text} />
      )}
      {calls.map((call) => (
        <details key={call.id}>
          <summary>called {call.name}</summary>
          <pre>{typeof call.input === 'string' ? call.input : JSON.stringify(call.input, undefined, 2)}</pre>
        </details>
      ))}
      {results.map((result) => (
        <details key={result.callId}>
          <summary>result</summary>
          <pre>{result.text}</pre>
        </details>
      ))}
      {!isEditing && (
        <footer class="actions">
          {isUser && (
            <button type="button" class="quiet" disabled={isBusy} onClick={() => setEditing(true)}>
              Edit
            </button>
          )}
          <button type="button" class="quiet" disabled={isBusy} onClick={() => void chat.fork(entry)}>
            Fork here
          </button>
        </footer>
      )}
    </article>
  )
}

function EditForm({
  text,
  onSend,
  onCancel,
}: {
  readonly text: string
  readonly onSend: (text: string) => void
  readonly onCancel: () => void
}): JSX.Element {
  const [words, setWords] = useState(text)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (words.trim() !== '') onSend(words)
      }}
    >
      <textarea
        aria-label="Edit message"
        rows={3}
        value={words}
        onInput={({ currentTarget }) => setWords(currentTarget.value)}
      />
      <div class="actions">
        <button type="submit" class="primary">
          Ask again
        </button>
        <button type="button" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </form>
  )
}
