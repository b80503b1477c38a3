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

  test('skips a case whose hook the harness lacks, says why, and runs nothing of it', async () => {
    const notes: string[] = []
    const needing: ContractCase = { ...opening(bodyFailed), needs: ['damage'] }
    expect(await runCase(noting(notes), needing)).toEqual({ skipped: 'the harness has no damage()' })
    const reason = { damage: 'nothing is stored' }
    expect(await runCase({ ...noting(notes), lacks: reason }, needing)).toEqual({ skipped: 'nothing is stored' })
    expect(notes).toEqual(['create', 'destroy', 'create', 'destroy'])
    expect(await runCase(noting([]), opening())).toEqual({ skipped: undefined })
  })

  test('refuses a hook that a case uses without a need for it', async () => {
    const using: ContractCase = { ...opening(), run: ({ crash }) => crash() }
    await expect(runCase(noting([]), using)).rejects.toThrow(TypeError)
  })

  test('forgets the handles that died in a crash', async () => {
    const notes: string[] = []
    const harness = noting(notes)
    const mortal: Harness = {
      ...harness,
      create: async () => ({ ...(await harness.create()), crash: async () => void notes.push('crash') }),
    }
    await runCase(mortal, {
      ...opening(),
      needs: ['crash'],
      async run({ open, crash }) {
        await open()
        await crash()
        await open()
      },
    })
    expect(notes).toEqual(['create', 'open 1', 'crash', 'open 2', 'close 2', 'destroy'])
  })
})

describe('an adapter that shares with none', () => {
  const capabilities = Object.freeze({ durability: 'none', sharing: 'none', watch: true } as const)
  const alone = (notes: string[]): Harness => {
    const harness = noting(notes)
    return {
      ...harness,
      async create() {
        const store = await harness.create()
        return { ...store, open: async () => delegate(await store.open(), { capabilities }) }
      },
    }
  }

  test('has one handle at a time: the open one, or another after it was closed', async () => {
    const notes: string[] = []
    await runCase(alone(notes), {
      ...opening(),
      async run({ open, openLosingNextAnswer }) {
        const [first, again] = await Promise.all([open(), open()])
        expect(again).toBe(first)
        await first.close()
        expect(await open()).not.toBe(first)
        await openLosingNextAnswer()
        await open()
      },
    })
    const handles = [1, 2, 3, 4].flatMap((number) => [`open ${number}`, `close ${number}`])
    expect(notes.filter((note, i) => notes.indexOf(note) === i)).toEqual(['create', ...handles, 'destroy'])
  })

  test('skips the cases of two handles, passes the others, and fails where it is broken', async () => {
    const notes: string[] = []
    const two: ContractCase = { ...opening(bodyFailed), needs: ['sharing'] }
    expect((await runCase(alone(notes), two)).skipped).toMatch(/one handle at a time/)
    expect(notes).toEqual(['create', 'open 1', 'close 1', 'destroy'])
    await expect(runCase(alone([]), opening(bodyFailed))).rejects.toBe(bodyFailed)
  })
})
