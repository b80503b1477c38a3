export { checkHistory } from './history/check-history.ts'
export { parseHistory, type Answer, type CallEnded, type CallStarted, type HistoryEvent } from './history/event.ts'
export type {
  AppendRequest,
  DropRequest,
  GetRequest,
  PutRequest,
  ReadRequest,
  RemoveRequest,
  Request,
} from './history/event.ts'
export { raceRun, type RaceRun, type RaceRunOptions } from './history/race-run.ts'
export { recording, sequence, type RecordingOptions } from './history/recording.ts'
export type { HistoryRule, Violation } from './history/violation.ts'
