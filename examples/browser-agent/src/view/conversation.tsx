import { isMessageEntry, type Entry, type RoleMessage } from '@sessiontree/core'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { unfinishedAnswer } from '../agent/unfinished.ts'
import type { Chat, View } from '../chat.ts'
import { Message } from './message.tsx'
import { SafeText } from './safe-text.tsx'

/** The path to the leaf, and the answer that is being given. */
export function Conversation({ chat }: { readonly chat: Chat }): JSX.Element {
  const { value: view } = chat.view
  const { value: answer } = chat.answer
  const end = useRef<HTMLDivElement>(null)
  const length = view?.path.length ?? 0
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [length, answer])
  if (!chat.session.value) {
    return (
      <section class="conversation empty">
        <p>Everything you write here stays in this browser, and survives a reload in the middle of an answer.</p>
        <p>Ask “Where is my parcel?” to see a tool at work.</p>
      </section>
    )
  }
  return (
    <section class="conversation" aria-label="Conversation" aria-live="polite">
      {view?.path.map((entry) => (
        <Row key={entry.id} chat={chat} entry={entry} />
      ))}
      {answer !== undefined ? (
        <Partial text={answer} label="Answering …" />
      ) : (
        view && <Unfinished chat={chat} view={view} />
      )}
      <div ref={end} />
    </section>
  )
}

function Row({ chat, entry }: { readonly chat: Chat; readonly entry: Entry<RoleMessage> }): JSX.Element | null {
  if (isMessageEntry(entry)) return <Message chat={chat} entry={entry} />
  if (entry.type !== 'run_failure' || !('error' in entry)) return null
  return (
    <p class="marker failure">
      <SafeText text={String(entry.error)} />
    </p>
  )
}

/** What another tab is saying, or what an interrupted turn had said. */
function Unfinished({ chat, view }: { readonly chat: Chat; readonly view: View }): JSX.Element | null {
  const { status, turn, path } = view
  const text = unfinishedAnswer(path)
  if (turn && !turn.isExpired) return <Partial text={text ?? ''} label="Another tab is answering …" />
  if (status.status !== 'interrupted' && status.status !== 'failed' && status.status !== 'cancelled') return null
  return (
    <div class="unfinished">
      {text !== undefined && <Partial text={text} label="Unfinished" />}
      <div class="actions">
        <button type="button" class="primary" onClick={() => void chat.retry()}>
          Try again
        </button>
        {text !== undefined && (
          <button type="button" onClick={() => void chat.keepUnfinished()}>
            Keep what is there
          </button>
        )}
      </div>
    </div>
  )
}

function Partial({ text, label }: { readonly text: string; readonly label: string }): JSX.Element {
  return (
    <article class="message assistant partial">
      <header>{label}</header>
      <SafeText text={text} />
    </article>
  )
}
