import type { Call, DocumentCall } from './call.ts'
import { describe, isAcknowledged, isOf, isRefused } from './call.ts'
import type { PutRequest } from './event.ts'
import { linearize } from './linearize.ts'
import { excerpt, violation, type Violation } from './violation.ts'

type Put = Call<PutRequest>

/** Checks the calls on one document, in the order of their starts. */
export function checkDocument(key: string, calls: readonly DocumentCall[]): Violation[] {
  const violations = [...checkWinners(key, calls), ...checkVersions(key, calls)]
  // What follows would only say the same again, less clearly.
  if (violations.length > 0) return violations
  const stuck = linearize(calls)
  return stuck ? [violation('document.order', key, stuck.message, [stuck.call])] : []
}

/** Of the writers that expected one version, one was told that it won. */
function checkWinners(key: string, calls: readonly DocumentCall[]): Violation[] {
  const violations: Violation[] = []
  const winners = new Map<string, Call>()
  for (const call of calls) {
    if (!isAcknowledged(call) || call.request.operation === 'get') continue
    const { expect } = call.request
    // A document that was removed is absent again, so that more than one may win that.
    if (expect === null || expect === 'absent') continue
    const winner = winners.get(expect)
    if (winner) {
      const both = `${describe(winner)} and ${describe(call)} were both told that they replaced version ${expect}`
      violations.push(violation('put.lost-update', key, both, [winner, call]))
    }
    winners.set(expect, call)
  }
  return violations
}

/** A version names one put, and a document shows what that put wrote. */
function checkVersions(key: string, calls: readonly DocumentCall[]): Violation[] {
  const violations: Violation[] = []
  const report = (rule: Violation['rule'], message: string, involved: readonly Call[]) =>
    violations.push(violation(rule, key, message, involved))
  const puts = calls.filter((call) => isOf(call, 'put'))
  const writtenAs = new Map<string, { readonly value: string; readonly by: Call }>()
  for (const put of puts) {
    const version = put.answer?.version
    if (version === undefined) continue
    const other = writtenAs.get(version)
    if (other) {
      report('put.version', `${describe(other.by)} and ${describe(put)} both got version ${version}`, [other.by, put])
    }
    writtenAs.set(version, { value: put.request.value, by: put })
  }
  const byValue = Map.groupBy(puts, ({ request }) => request.value)
  for (const get of calls) {
    const document = get.answer?.document
    if (!document) continue
    const { value, version } = document
    const seen = `${describe(get)} shows ${excerpt(value)} as version ${version}`
    const written = writtenAs.get(version)
    if (written && written.value !== value) {
      const other = `${describe(written.by)} ${isOf(written.by, 'put') ? 'wrote' : 'showed'} ${excerpt(written.value)}`
      report('put.version', `${seen}; ${other} as that version`, [written.by, get])
    } else if (!written) {
      writtenAs.set(version, { value, by: get })
      const writer = writerOf(byValue.get(value) ?? [], get)
      if (!writer) report('get.unknown', `${seen}, which nobody had put`, [get])
      else if (isRefused(writer)) {
        const told = `${describe(writer)} was told ${writer.answer?.code ?? 'a failure'}, nothing written`
        report('put.refused', `${seen}; ${told}`, [writer, get])
      } else if (isAcknowledged(writer)) {
        const told = `${describe(writer)} was told version ${writer.answer?.version}`
        report('put.version', `${seen}; ${told}`, [writer, get])
      }
    }
  }
  return violations
}

/** Who may have written what a get showed under a version that nobody was told: best somebody who does not know. */
function writerOf(puts: readonly Put[], get: Call): Put | undefined {
  const begun = puts.filter((put) => put.start <= get.end)
  return begun.find((put) => !isAcknowledged(put) && !isRefused(put)) ?? begun.find(isAcknowledged) ?? begun[0]
}
