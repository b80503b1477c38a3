import { runCase, type ContractCase, type Harness } from '@sessiontree/contract'
import { memory } from '@sessiontree/memory'
import { describe, expect, test } from 'vitest'
import { delegate } from '../src/delegate.ts'

const bodyFailed = new Error('the body failed')
const closeFailed = new Error('close failed')
const destroyFailed = new Error('destroy failed')

/** A harness that notes what is done to it, and fails where it is told to. */
function noting(notes: string[], failing: readonly Error[] = []): Harness {
  let opened = 0
  const failOn = (error: Error) => {
    if (failing.includes(error)) throw error
  }
  return {
    name: 'noting',
    async create() {
      notes.push('create')
      return {
        async open() {
          const number = ++opened
          notes.push(`open ${number}`)
          const close = async () => {
            notes.push(`close ${number}`)
            failOn(closeFailed)
          }
          return delegate(memory(), { close })
        },
        async destroy() {
          notes.push('destroy')
          failOn(destroyFailed)
        },
      }
    },
  }
}

const opening = (error?: Error): ContractCase => ({
  id: 'test/opening',
  group: 'test',
  title: 'opens two handles',
  rules: [],
  async run({ open, openLosingNextAnswer }) {
    await open()
    await openLosingNextAnswer()
    if (error) throw error
  },
})

describe('runCase', () => {
  test('closes every handle and then destroys the store', async () => {
    const notes: string[] = []
    await runCase(noting(notes), opening())
    expect(notes).toEqual(['create', 'open 1', 'open 2', 'close 1', 'close 2', 'destroy'])
  })

  test('cleans up after a case that failed, and rejects with its error', async () => {
    const notes: string[] = []
    await expect(runCase(noting(notes), opening(bodyFailed))).rejects.toBe(bodyFailed)
    expect(notes.slice(-3)).toEqual(['close 1', 'close 2', 'destroy'])
  })

  test('destroys the store although a handle could not be closed, and rejects with why', async () => {
    const notes: string[] = []
    const run = runCase(noting(notes, [closeFailed, destroyFailed]), opening(bodyFailed))
    await expect(run).rejects.toMatchObject({ errors: [bodyFailed, closeFailed, closeFailed, destroyFailed] })
    expect(notes.at(-1)).toBe('destroy')
  })

  test('a case whose store cannot be destroyed fails', async () => {
    await expect(runCase(noting([], [destroyFailed]), opening())).rejects.toBe(destroyFailed)
  })
})
