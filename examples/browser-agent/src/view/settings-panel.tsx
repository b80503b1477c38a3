import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Chat } from '../chat.ts'
import { endpointProblem } from '../settings.ts'

/** Which model answers. */
export function SettingsPanel({ chat }: { readonly chat: Chat }): JSX.Element {
  const [draft, setDraft] = useState(chat.settings.value)
  const problem = endpointProblem(draft)
  const change = (fields: Partial<typeof draft>) => setDraft({ ...draft, ...fields })
  return (
    <>
      <p>Without an address the scripted model answers, without any network.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (problem === undefined) chat.set(draft)
        }}
      >
        <label>
          OpenAI-compatible address
          <input
            placeholder="https://…/v1"
            value={draft.url}
            onInput={({ currentTarget }) => change({ url: currentTarget.value.trim() })}
          />
        </label>
        <label>
          Model
          <input value={draft.model} onInput={({ currentTarget }) => change({ model: currentTarget.value.trim() })} />
        </label>
        <label>
          Key
          <input
            type="password"
            autocomplete="off"
            value={draft.key}
            onInput={({ currentTarget }) => change({ key: currentTarget.value })}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={draft.rememberKey}
            onChange={({ currentTarget }) => change({ rememberKey: currentTarget.checked })}
          />
          Keep the key on this device
        </label>
        {problem !== undefined && <p class="problem">{problem}</p>}
        <button type="submit" class="primary" disabled={problem !== undefined}>
          Save
        </button>
      </form>
    </>
  )
}
