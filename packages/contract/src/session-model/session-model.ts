import type { ErrorCode } from '@sessiontree/core'
import type { AppendRequest, Lease, ModelEntry, ModelTurn, View } from './model-state.ts'

// A lease lasts 30 seconds, and 5 more for two clocks that differ.
const LEASE = 30_000
const SKEW = 5_000

/** One session, as plain lists. Every call returns what it appended, or the code that it rejects with: then it changed nothing. */
export class ModelSession {
  readonly id: string
  entries: ModelEntry[] = []
  leaf: ModelEntry | null = null
  /** How often the leaf has moved. */
  moves = 0
  /** How many records its log holds, the one that ends it left out. */
  records = 0
  isDeleted = false
  /** The turn that the log has open. */
  open: { readonly id: string; readonly epoch: number } | undefined
  /** The highest epoch of the log, and of the document. */
  logEpoch = 0
  epoch = 0
  lease: Lease | undefined

  constructor(id: string) {
    this.id = id
  }

  copy(): ModelSession {
    return Object.assign(new ModelSession(this.id), this, { entries: [...this.entries] })
  }

  /** What a call may name. */
  get named(): readonly ModelEntry[] {
    return this.entries.filter(({ id, kind }) => id !== undefined && kind !== 'label')
  }

  path(end: ModelEntry | null = this.leaf): readonly ModelEntry[] {
    const path: ModelEntry[] = []
    for (let entry = end; entry; entry = entry.parent) path.unshift(entry)
    return path
  }

  /** Shows the leaf. */
  show(view: View): void {
    view.shown = this.leaf
    view.moves = this.moves
    view.records = this.records
  }

  /** Whether the leaf went away and came back: a handle may have seen that, or not. */
  isBack(view: View): boolean {
    return view.shown === this.leaf && view.moves !== this.moves
  }

  /** Whether a handle may have missed records. */
  isAhead(view: View): boolean {
    return view.records !== this.records
  }

  append(view: View, request: AppendRequest): readonly ModelEntry[] | ErrorCode {
    if (this.isDeleted) return 'DELETED'
    const { onConflict, parent, ids, force } = request
    const follows = parent === undefined && onConflict === 'fork' ? view.shown : parent
    const before = follows === undefined ? this.leaf : follows
    let leaf = request.leaf
    if (this.open && !force) {
      if (follows === undefined || before?.turn === this.open.id) return 'ACTIVE_TURN'
      leaf = 'keep'
    }
    if (parent === undefined && onConflict === 'reject' && view.shown !== undefined && view.shown !== this.leaf) {
      this.show(view)
      return 'CONFLICT'
    }
    return this.#chain(
      view,
      before,
      ids.map((id) => ({ id, kind: 'user_message', text: id, turn: undefined })),
      leaf === 'take',
    )
  }

  label(view: View, target: ModelEntry): readonly ModelEntry[] | ErrorCode {
    if (this.isDeleted) return 'DELETED'
    return this.#chain(view, target, [{ id: undefined, kind: 'label', text: undefined, turn: undefined }], false)
  }

  move(view: View, target: ModelEntry | null, force: boolean): readonly ModelEntry[] | ErrorCode {
    if (this.isDeleted) return 'DELETED'
    if (this.open && !force) return 'ACTIVE_TURN'
    // To where the leaf is nothing is written, and nothing learnt of what was said elsewhere.
    const { records } = view
    const moves = target !== this.leaf
    if (moves) this.records++
    this.#moveTo(target)
    this.show(view)
    if (!moves) view.records = records
    return []
  }

  begin(
    view: View,
    turn: { readonly id: string; readonly owner: string },
    from: ModelEntry | null | undefined,
    { force, now }: { readonly force: boolean; readonly now: number },
  ): ModelTurn | ErrorCode {
    const lease = this.lend(turn, { force, now })
    if (typeof lease === 'string') return lease
    const { epoch } = lease
    this.#close(view)
    const parent = from === undefined ? this.leaf : from
    const marker = { id: undefined, kind: 'turn_marker started', text: undefined, turn: turn.id }
    const [tip] = this.#chain(view, parent, [marker], true)
    this.open = { id: turn.id, epoch }
    this.logEpoch = epoch
    return { ...turn, epoch, tip: tip as ModelEntry, state: 'open', endedBy: undefined, lostAs: 'LEASE_LOST' }
  }

  /** The first half of {@link begin}. */
  lend(
    { id, owner }: { readonly id: string; readonly owner: string },
    { force, now }: { readonly force: boolean; readonly now: number },
  ): Lease | ErrorCode {
    if (this.isDeleted) return 'DELETED'
    if (this.lease && !force && !this.#isDead(this.lease, now)) return 'ACTIVE_TURN'
    this.epoch++
    this.lease = { turn: id, owner, epoch: this.epoch, expiresAt: now + LEASE }
    return this.lease
  }

  appendInTurn(view: View, turn: ModelTurn, ids: readonly string[]): readonly ModelEntry[] | ErrorCode {
    const refused = this.#refuse(turn)
    if (refused) return refused
    return this.#inTurn(
      view,
      turn,
      ids.map((id) => ({ id, kind: 'user_message', text: id })),
    )
  }

  end(view: View, turn: ModelTurn, how: 'complete' | 'wait' | 'fail' | 'abort'): readonly ModelEntry[] | ErrorCode {
    const entries = this.endInLog(view, turn, how)
    if (typeof entries !== 'string' && this.epoch === turn.epoch) this.lease = undefined
    return entries
  }

  /** The first half of {@link end}. */
  endInLog(
    view: View,
    turn: ModelTurn,
    how: 'complete' | 'wait' | 'fail' | 'abort',
  ): readonly ModelEntry[] | ErrorCode {
    if (turn.endedBy === how) return []
    const refused = this.#refuse(turn)
    if (refused) return refused
    const status = { complete: 'completed', wait: 'waiting', fail: 'failed', abort: 'aborted' }[how]
    const kinds = [...(how === 'fail' ? ['run_failure'] : []), `turn_marker ${status}`]
    const entries = this.#inTurn(
      view,
      turn,
      kinds.map((kind) => ({ id: undefined, kind, text: undefined })),
    )
    this.open = undefined
    turn.state = 'ended'
    turn.endedBy = how
    return entries
  }

  recover(view: View, now: number): readonly ModelEntry[] | ErrorCode {
    const refused = this.expel(now)
    if (refused) return refused
    this.#close(view)
    return []
  }

  /** The first half of {@link recover}. */
  expel(now: number): ErrorCode | undefined {
    if (this.isDeleted) return 'DELETED'
    if (this.lease && !this.#isDead(this.lease, now)) return 'ACTIVE_TURN'
    this.lease = undefined
    return undefined
  }

  delete({ force, now }: { readonly force: boolean; readonly now: number }): readonly ModelEntry[] | ErrorCode {
    if (!this.isDeleted && this.lease && !force && !this.#isDead(this.lease, now)) return 'ACTIVE_TURN'
    this.isDeleted = true
    return []
  }

  /** Whether a release by this turn and owner took the lease away. */
  release(turn: string, owner: string): boolean {
    if (this.lease?.turn !== turn || this.lease.owner !== owner) return false
    this.lease = undefined
    return true
  }

  fork(id: string, end: ModelEntry | null): ModelSession {
    const fork = new ModelSession(id)
    fork.entries = [...this.path(end)]
    fork.leaf = end
    return fork
  }

  /** Ends the turn that somebody left open. */
  #close(view: View): void {
    if (!this.open) return
    const { id } = this.open
    const isLeaf = this.leaf?.turn === id
    const end = isLeaf ? this.leaf : (this.entries.findLast(({ turn }) => turn === id) ?? this.leaf)
    const closing = ['run_failure', 'turn_marker aborted'].map((kind) => ({
      id: undefined,
      kind,
      text: undefined,
      turn: id,
    }))
    this.#chain(view, end, closing, isLeaf)
    this.open = undefined
  }

  #refuse(turn: ModelTurn): ErrorCode | undefined {
    if (turn.state === 'ended') return 'CLOSED'
    if (turn.state === 'lost') return turn.lostAs
    const code = this.isDeleted
      ? 'DELETED'
      : this.open?.id === turn.id && this.open.epoch === turn.epoch
        ? undefined
        : 'LEASE_LOST'
    if (code === undefined) return undefined
    turn.state = 'lost'
    turn.lostAs = code
    return code
  }

  #inTurn(view: View, turn: ModelTurn, entries: readonly Omit<ModelEntry, 'parent' | 'turn'>[]): readonly ModelEntry[] {
    const whole = entries.map((entry) => ({ ...entry, turn: turn.id }))
    const added = this.#chain(view, turn.tip, whole, this.leaf === turn.tip)
    turn.tip = added.at(-1) as ModelEntry
    return added
  }

  #chain(
    view: View,
    parent: ModelEntry | null,
    entries: readonly Omit<ModelEntry, 'parent'>[],
    takesLeaf: boolean,
  ): readonly ModelEntry[] {
    let before = parent
    const added = entries.map((entry) => (before = { ...entry, parent: before }))
    this.entries.push(...added)
    this.records += added.length
    view.records = this.records
    // Whoever leaves the leaf alone learns nothing of where others have moved it.
    if (takesLeaf) {
      this.#moveTo(before)
      this.show(view)
    }
    return added
  }

  #moveTo(leaf: ModelEntry | null): void {
    if (leaf !== this.leaf) this.moves++
    this.leaf = leaf
  }

  #isDead({ turn, epoch, expiresAt }: Lease, now: number): boolean {
    const hasEnded = this.logEpoch > epoch || (this.logEpoch === epoch && this.open?.id !== turn)
    return hasEnded || now > expiresAt + SKEW
  }
}
