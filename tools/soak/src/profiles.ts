import type { FaultyOptions } from '@sessiontree/contract'
import { RELIABLE, type RequestFaults } from './simulated-bucket.ts'
import { SOUND, type DiskFaults } from './simulated-disk.ts'

/** What goes wrong in one run. */
export interface Profile {
  readonly disk: DiskFaults
  readonly network: NonNullable<FaultyOptions['rates']>
  readonly requests: RequestFaults
  /** How likely a process is killed, and the power lost, in every pause between two calls of a client. */
  readonly kills: number
  readonly powerLosses: number
  /** How likely a call of a client on a session puts a text that is no record into its log, as a program does that knows no better. */
  readonly garbage: number
}

const CALM: Profile = { disk: SOUND, network: {}, requests: RELIABLE, kills: 0, powerLosses: 0, garbage: 0 }

/** Each run has one of these, so that a failure names what it takes, and none hides behind another. */
export const PROFILES = {
  calm: CALM,
  kills: { ...CALM, kills: 0.03 },
  'power losses': { ...CALM, kills: 0.01, powerLosses: 0.01 },
  'full disk': {
    ...CALM,
    kills: 0.01,
    disk: { ...SOUND, shortWrite: 0.05, noSpace: 0.03 },
    network: { refused: 0.08, unread: 0.02 },
    requests: { ...RELIABLE, busy: 0.3 },
  },
  'lost answers': {
    ...CALM,
    kills: 0.01,
    disk: { ...SOUND, failedFlush: 0.03 },
    network: { refused: 0.02, unsent: 0.05, lost: 0.08, late: 0.08, unread: 0.02 },
    requests: { lost: 0.04, unanswered: 0.05, late: 0.05, doubled: 0.05, failedAfter: 0.03, busy: 0.03 },
  },
  'failed flushes': {
    ...CALM,
    kills: 0.01,
    powerLosses: 0.01,
    disk: { ...SOUND, shortWrite: 0.02, failedFlush: 0.03, droppedPages: 0.3 },
    network: { unsent: 0.1, lost: 0.1, late: 0.1 },
    requests: { lost: 0.1, unanswered: 0.15, late: 0.15, doubled: 0.1, failedAfter: 0.1, busy: 0.05 },
  },
  repairs: {
    ...CALM,
    kills: 0.02,
    garbage: 0.02,
    network: { refused: 0.02, unsent: 0.02, lost: 0.03, late: 0.03, unread: 0.01 },
    requests: { lost: 0.02, unanswered: 0.03, late: 0.03, doubled: 0.02, failedAfter: 0.02, busy: 0.02 },
  },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES
