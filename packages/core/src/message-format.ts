import type { MessageType } from './entry.ts'

export { roleContent, type RoleMessage } from './formats/role-content.ts'

/**
 * What the session tree needs to know about a message of the caller's own shape. Messages come out as they went in; a
 * format only looks at them.
 *
 * Contract
 * - Every method is pure, and gives the same answer for a message and for what JSON makes of it.
 * - Only `type` throws, and only for what is no message of this format: it is asked before anything is written, the others about
 *   whatever is stored.
 */
export interface MessageFormat<Message> {
  /** Kept in the session's document, so that nobody reads the messages with another format. */
  readonly id: string
  /** What the message is. Throws a `TypeError` that says what is wrong if it is none of this format. */
  type(message: Message): MessageType
  /** A message that says `text`: for the summary of a branch or of a compacted head. */
  fromText(role: 'user' | 'assistant', text: string, origin: TextOrigin): Message
  /**
   * What the message consists of. Without it the tree knows calls and results by the type of their entry alone: a message has one
   * call, which any number of results answers.
   */
  read?(message: Message): MessageParts
  /**
   * A copy of the message without some of its calls and results, with what else it says; undefined if nothing is left. Without it a batch with a
   * call that nobody answered is left out of the context as a whole.
   */
  without?(message: Message, omitted: Omitted): Message | undefined
  /** How many tokens a message takes. Default: {@link estimateMessageTokens} of its parts. */
  estimateTokens?(message: Message, parts: MessageParts): number
  /** What a message has to be, as a Standard Schema: asked before it is written. */
  readonly schema?: StandardSchema<Message>
}

/** What a text that becomes a message stands for. */
export interface TextOrigin {
  /** Unique among the messages of a context: the id of the entry, with a suffix if that has several messages. */
  readonly id: string
  /** When the entry was made: UTC, ISO 8601. */
  readonly createdAt: string
}

/** A message, taken apart. */
export interface MessageParts {
  /** What it says: without reasoning, calls and results. */
  readonly text: string
  readonly calls: readonly ToolCall[]
  /** Results that it carries, of its own calls or of another message's. */
  readonly results: readonly ToolResult[]
  /** Images and files. */
  readonly attachments: readonly Attachment[]
}

/** A call of a tool. */
export interface ToolCall {
  /** What a result names it by; undefined where the provider has no ids: results then answer calls in order. */
  readonly id: string | undefined
  readonly name: string
  /** The arguments: a value, or the JSON text of one. */
  readonly input: unknown
  /** Another id that an answer may name: of the request to approve the call. */
  readonly alias?: string
}

/** The answer to a call. */
export interface ToolResult {
  readonly callId: string | undefined
  /** Which of the calls of its own message it answers, where that is settled without an id. */
  readonly own?: number
  /** What the tool returned, as text. */
  readonly text: string
  /** Not the result yet, but what lets the call stand until something else follows: the approval of it. */
  readonly interim?: boolean
}

/** An image or a file in a message. */
export interface Attachment {
  readonly mediaType?: string
  readonly name?: string
  /** Where it is: a URL that is not the data itself, or a path. */
  readonly url?: string
}

/** Which calls and results to leave out: places in `read(message).calls` and `.results`. */
export interface Omitted {
  readonly calls: ReadonlySet<number>
  readonly results: ReadonlySet<number>
}

/** The part of a Standard Schema (https://standardschema.dev, version 1) that is used here. */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** What a Standard Schema says about a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** What is wrong with a value, and where. */
export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * Checks a message against its format's schema; resolves if it has none or the message is right.
 *
 * Contract
 * - A `TypeError` names each issue with its place. The message itself is never changed: what the schema would make of it is not stored.
 */
export async function checkMessage<Message>(format: MessageFormat<Message>, message: Message): Promise<void> {
  const result = await format.schema?.['~standard'].validate(message)
  if (result) assertNoIssues(result)
}

/** Throws a `TypeError` that names each issue with its place. */
export function assertNoIssues({ issues }: StandardResult<unknown>): void {
  if (!issues) return
  const told = issues.map(({ message, path = [] }) => {
    const keys = path.map((step) => String(typeof step === 'object' ? step.key : step))
    return ['message', ...keys].join('.') + `: ${message}`
  })
  throw new TypeError(told.join('; '))
}
