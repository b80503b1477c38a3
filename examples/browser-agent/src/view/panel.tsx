import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Chat } from '../chat.ts'

/** What stands beside the conversation, over it on a narrow screen; Escape closes it, wherever the focus is. */
export function Panel({
  chat,
  label,
  title,
  children,
}: {
  readonly chat: Chat
  readonly label: string
  readonly title: string
  readonly children: ComponentChildren
}): JSX.Element {
  const close = () => void (chat.panel.value = 'none')
  useEffect(() => {
    const onKey = ({ key }: KeyboardEvent) => key === 'Escape' && close()
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <aside class="panel" aria-label={label}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      {children}
    </aside>
  )
}
