import type { RoleMessage } from '@sessiontree/core'

/** A call of a tool, as a model asks for it. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text. */
  readonly arguments: string
}

/** A piece of an answer, as it arrives. */
export type Delta =
  | { readonly text: string; readonly calls?: undefined }
  | { readonly calls: readonly ToolCall[]; readonly text?: undefined }

/** Answers a conversation, piece by piece: text first, then perhaps calls. */
export interface Model {
  readonly name: string
  answer(messages: readonly RoleMessage[], signal: AbortSignal): AsyncIterable<Delta>
}
