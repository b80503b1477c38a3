import { pairEvents, type Call, type DocumentCall, type LogCall } from './call.ts'
import { checkDocument } from './check-document.ts'
import { checkLog } from './check-log.ts'
import type { HistoryEvent } from './event.ts'
import type { Violation } from './violation.ts'

/**
 * Checks a recorded history of any number of writers and readers, and returns every broken promise that it shows; none, if the calls
 * may have come from a correct store.
 *
 * Contract
 * - The events may stand in any order. Each actor's calls have numbers of their own.
 * - Finds, on logs: what an acknowledged append wrote missing, doubled, moved or torn; what a refused one wrote present; records that nobody appended;
 *   reads that disagree, miss what was there before they began, or show what was dropped. An `UNCERTAIN` append, and one whose process died, may
 *   be there or not.
 * - On documents: it looks for an order in which every acknowledged put found the version that it expected and every get shows what was current
 *   between its start and its end; there is none when an update was lost or a stale value read.
 * - A history ends with a full read of each log and a get of each document, or it shows nothing about the last writes. Records and
 *   values should differ from one another: of two equal ones it cannot tell which is there.
 *
 * @throws {TypeError} if two calls share actor and number, or an end has no start.
 */
export function checkHistory(events: Iterable<HistoryEvent>): Violation[] {
  const logs = new Map<string, LogCall[]>()
  const documents = new Map<string, DocumentCall[]>()
  for (const call of pairEvents(events)) {
    if ('log' in call.request) collect(logs, call.request.log, call as LogCall)
    else collect(documents, call.request.key, call as DocumentCall)
  }
  return [
    ...Array.from(logs, ([log, calls]) => checkLog(log, calls)).flat(),
    ...Array.from(documents, ([key, calls]) => checkDocument(key, calls)).flat(),
  ]
}

function collect<One extends Call>(groups: Map<string, One[]>, name: string, call: One): void {
  const group = groups.get(name)
  if (group) group.push(call)
  else groups.set(name, [call])
}
