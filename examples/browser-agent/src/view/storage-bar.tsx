import type { JSX } from 'preact'
import type { Chat } from '../chat.ts'

/** How much is stored, and whether the browser may throw it away. */
export function StorageBar({ chat }: { readonly chat: Chat }): JSX.Element | null {
  const { value: use } = chat.use
  if (!use) return null
  const { usage, quota, persisted } = use
  return (
    <footer class="storage">
      <span>
        {usage === undefined ? 'Use unknown' : `${inUnits(usage)}${quota === undefined ? '' : ` of ${inUnits(quota)}`}`}
      </span>
      {persisted ? (
        <span title="The browser keeps it until you delete it">persistent</span>
      ) : (
        <button type="button" class="quiet" onClick={() => void chat.persist()}>
          Make persistent
        </button>
      )}
    </footer>
  )
}

function inUnits(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`
}
