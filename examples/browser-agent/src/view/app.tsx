import type { JSX } from 'preact'
import type { Chat } from '../chat.ts'
import { Composer } from './composer.tsx'
import { Conversation } from './conversation.tsx'
import { Panel } from './panel.tsx'
import { SessionList } from './session-list.tsx'
import { SettingsPanel } from './settings-panel.tsx'
import { StorageBar } from './storage-bar.tsx'
import { TitleBar } from './title-bar.tsx'
import { TreeView } from './tree-view.tsx'

/** The whole page. */
export function App({ chat }: { readonly chat: Chat }): JSX.Element {
  const { value: notice } = chat.notice
  const { value: panel } = chat.panel
  return (
    <div class="page">
      <aside class="sidebar">
        <SessionList chat={chat} />
        <StorageBar chat={chat} />
      </aside>
      <main class="main">
        <TitleBar chat={chat} />
        {notice && (
          <div class={`notice ${notice.kind}`} role={notice.kind === 'error' ? 'alert' : 'status'}>
            <span>{notice.text}</span>
            <button type="button" class="quiet" aria-label="Dismiss" onClick={() => (chat.notice.value = undefined)}>
              ✕
            </button>
          </div>
        )}
        <Conversation chat={chat} />
        <Composer chat={chat} />
      </main>
      {panel === 'tree' && (
        <Panel chat={chat} label="Tree" title="Branches">
          <TreeView chat={chat} />
        </Panel>
      )}
      {panel === 'settings' && (
        <Panel chat={chat} label="Settings" title="Model">
          <SettingsPanel chat={chat} />
        </Panel>
      )}
    </div>
  )
}
