import type { JSX } from 'preact'
import type { Chat } from '../chat.ts'
import { treeRows } from './tree-rows.ts'

/** Every branch of the session; a click goes there. */
export function TreeView({ chat }: { readonly chat: Chat }): JSX.Element {
  const { value: view } = chat.view
  const rows = view ? treeRows(view.tree) : []
  return (
    <>
      {rows.length === 0 && <p>Nothing here yet.</p>}
      <ol class="tree">
        {rows.map(({ node, depth, isOnPath, isLeaf }) => (
          <li key={node.id} class={`depth-${Math.min(depth, 4)}`}>
            <button
              type="button"
              class={`${isOnPath ? 'on-path' : ''} ${isLeaf ? 'leaf' : ''}`}
              aria-current={isLeaf ? 'true' : undefined}
              disabled={chat.answer.value !== undefined}
              onClick={() => void chat.moveTo(node.id)}
            >
              <span class="role">{node.type.replace(/_message$/, '').replaceAll('_', ' ')}</span>
              <span class="preview">{node.preview}</span>
            </button>
          </li>
        ))}
      </ol>
    </>
  )
}
