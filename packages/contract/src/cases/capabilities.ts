import { sleep, systemClock, type StorageAdapter } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assert, assertEqual } from '../assert.ts'
import { abortableSignal, abortedSignal } from '../signal.ts'

const LOG = 'capabilities/log'
// Long enough for a hint between tabs; a hint that comes later goes unnoticed here.
const HINT_MILLISECONDS = 50

/** What an adapter says about itself. */
export const capabilityCases: readonly ContractCase[] = [
  {
    id: 'capabilities/declared',
    group: 'capabilities',
    title: 'capabilities are complete, frozen and the same for every handle',
    rules: ['capabilities', 'watch'],
    async run({ open }) {
      const [adapter, other] = [await open(), await open()]
      assertEqual(adapter.contract, 1, 'the version of the contract')
      assert(typeof adapter.name === 'string' && adapter.name !== '', 'an adapter has a name')
      const { capabilities } = adapter
      assert(Object.isFrozen(capabilities), 'capabilities are frozen')
      const { durability, sharing, watch } = capabilities
      assert(
        ['none', 'process', 'disk', 'remote'].includes(durability),
        `durability "${durability}" is one of the four`,
      )
      assert(
        ['none', 'handle', 'tab', 'process', 'network'].includes(sharing),
        `sharing "${sharing}" is one of the five`,
      )
      assertEqual(typeof watch, 'boolean', 'the type of capabilities.watch')
      assertWatchAsDeclared(adapter)
      assertEqual([other.name, { ...other.capabilities }], [adapter.name, { ...capabilities }], 'another handle')
      await adapter.append(LOG, 0, ['1'])
      assert(adapter.capabilities === capabilities, 'capabilities never change while the handle lives')
    },
  },
  {
    id: 'capabilities/watch',
    group: 'capabilities',
    title: 'watch is there only if declared, and never wakes before it returned, or after an abort or a close',
    rules: ['watch', 'capabilities'],
    needs: ['sharing'],
    async run({ open }) {
      const [adapter, other, closing] = [await open(), await open(), await open()]
      assertWatchAsDeclared(adapter)
      if (!adapter.watch) return
      const { signal, abort } = abortableSignal()
      let wakes = 0
      let wakesOfAborted = 0
      adapter.watch(LOG, () => wakes++, signal)
      adapter.watch(LOG, () => wakesOfAborted++, abortedSignal(new Error('aborted by the contract suite')))
      assertEqual(wakes, 0, 'the wakes before watch() returned')
      await other.append(LOG, 0, ['1'])
      let wakesOfClosed = 0
      closing.watch?.(LOG, () => wakesOfClosed++, abortableSignal().signal)
      await closing.close()
      const beforeClose = wakesOfClosed
      // Aborted while a wake may be under way already.
      const appending = other.append(LOG, 1, ['2'])
      abort()
      const before = wakes
      await appending
      await adapter.append(LOG, 2, ['3'])
      await sleep(systemClock, HINT_MILLISECONDS)
      assertEqual(wakes, before, 'the wakes until the signal aborted against all wakes')
      assertEqual(wakesOfClosed, beforeClose, 'the wakes until the handle was closed against all wakes')
      assertEqual(wakesOfAborted, 0, 'the wakes of a signal that was aborted beforehand')
    },
  },
]

function assertWatchAsDeclared(adapter: StorageAdapter): void {
  const declared = adapter.capabilities.watch
  assertEqual(typeof adapter.watch, declared ? 'function' : 'undefined', `watch() with capabilities.watch ${declared}`)
}
