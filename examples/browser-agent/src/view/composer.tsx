import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Chat } from '../chat.ts'

/** Where the user writes. */
export function Composer({ chat }: { readonly chat: Chat }): JSX.Element {
  const [words, setWords] = useState('')
  const isAnswering = chat.answer.value !== undefined
  const send = async () => {
    if (words.trim() === '' || isAnswering) return
    setWords('')
    // Another tab may be answering: what was written is given back, unless something new was.
    if (!(await chat.ask(words))) setWords((now) => (now === '' ? words : now))
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
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
          void send()
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
