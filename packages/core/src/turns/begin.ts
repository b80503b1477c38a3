import type { SessionState } from '../session-state.ts'
import { beginTurn, type BeginTurnOptions } from './begin-turn.ts'
import { Turn } from './turn.ts'

/** Begins a turn: see {@link Session.beginTurn}. */
export async function begin<Message>(state: SessionState<Message>, options: BeginTurnOptions): Promise<Turn<Message>> {
  return new Turn(state, await beginTurn(state, options))
}
