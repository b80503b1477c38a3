import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Chat } from '../chat.ts'

/** Where the user writes. */
export function Composer({ chat }: { readonly chat: Chat }): JSX.Element {
  const [words, setWords] = useState('')
  const isAnswering = chat.answer.value !== undefined
  const send = () => {
    if (words.trim() === '' || isAnswering) return
    void chat.ask(words)
    setWords('')
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <textarea
        aria-label="Message"
        placeholder="Write a message …"
        rows={2}
        value={words}
        onInput={({ currentTarget }) => setWords(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
          event.preventDefault()
          send()
        }}
      />
      {isAnswering ? (
        <button type="button" onClick={() => chat.stop()}>
          Stop
        </button>
      ) : (
        <button type="submit" class="primary" disabled={words.trim() === ''}>
          Send
        </button>
      )}
    </form>
  )
}
