import { openAiModel, type Endpoint } from './model/openai-model.ts'
import { scriptedModel } from './model/scripted-model.ts'
import type { Model } from './model/model.ts'

/** What the user set. */
export interface Settings extends Endpoint {
  /** Whether the key is kept on this device; else it is forgotten with the page. */
  readonly rememberKey: boolean
}

const STORED = 'sessiontree-chat-settings'
const EMPTY: Settings = { url: '', model: '', key: '', rememberKey: false }

/** The settings of this device. */
export function readSettings(): Settings {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? '{}') as Partial<Record<keyof Settings, unknown>>
    const text = (value: unknown) => (typeof value === 'string' ? value : '')
    const rememberKey = stored.rememberKey === true
    return { url: text(stored.url), model: text(stored.model), key: rememberKey ? text(stored.key) : '', rememberKey }
  } catch {
    // Not there, not readable, or storage is forbidden: the defaults do.
    return EMPTY
  }
}

/** Keeps the settings; the key only if the user asked for it. */
export function keepSettings(settings: Settings): void {
  const { key, ...rest } = settings
  localStorage.setItem(STORED, JSON.stringify(settings.rememberKey ? { ...rest, key } : rest))
}

/** What is wrong with an endpoint's address; undefined if nothing is. */
export function endpointProblem({ url, model }: Pick<Settings, 'url' | 'model'>): string | undefined {
  if (url === '') return undefined
  if (!/^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1)(:|\/|$)/.test(url) || !URL.canParse(url)) {
    return 'The address has to begin with https:// (http:// only on localhost).'
  }
  return model === '' ? 'Name the model to ask for.' : undefined
}

/** The model to talk to: the endpoint's, or the scripted one where none is named. */
export function chosenModel(settings: Settings): Model {
  return settings.url === '' || endpointProblem(settings) !== undefined ? scriptedModel : openAiModel(settings)
}
