import { describe, expect, test } from 'vitest'
import { deriveStatus, LifecycleDerivation, type LifecycleOptions } from '../src/lifecycle.ts'
import { roleContent, type RoleMessage } from '../src/message-format.ts'
import { assistant, marker, pathOf, user, type Step } from './path-of.ts'

const format = roleContent()
const status = (steps: readonly Step[], options?: LifecycleOptions) =>
  deriveStatus(pathOf<RoleMessage>(steps).toReversed(), format, options)

const ask = (turnId: string, input: string): Step => ({
  type: 'tool_call',
  turnId,
  message: { role: 'assistant', tool_calls: [{ id: 'q', function: { name: 'ask_user', arguments: input } }] },
})
const QUESTION = '{"question":"Which one?"}'

describe('deriveStatus', () => {
  test('tree:35 the lifecycle table', () => {
    const turn = (...steps: readonly Step[]) => [marker('started', 't'), user('x'), ...steps]
    expect(status([])).toEqual({ status: 'idle', recoverable: false, canAppend: true })
    expect(status([user('x')]).status).toBe('idle')
    expect(status(turn(), { activeTurnId: 't' })).toEqual({
      status: 'running',
      turnId: 't',
      recoverable: false,
      canAppend: false,
    })
    expect(status(turn())).toEqual({ status: 'interrupted', turnId: 't', recoverable: true, canAppend: false })
    expect(status(turn(), { activeTurnId: 'other' }).status).toBe('interrupted')
    expect(status([{ type: 'turn_marker', status: 'started' }])).toMatchObject({ status: 'interrupted' })
    expect(status(turn(marker('completed', 't')))).toMatchObject({ status: 'completed', canAppend: true })
    expect(status(turn(marker('waiting', 't')))).toMatchObject({ status: 'waiting', canAppend: true })
    expect(status(turn(marker('failed', 't')))).toMatchObject({
      status: 'failed',
      recoverable: false,
      canAppend: false,
    })
    expect(status(turn(marker('aborted', 't')))).toMatchObject({
      status: 'cancelled',
      recoverable: false,
      canAppend: false,
    })
    for (const recoverable of [true, 'true']) {
      expect(status(turn(marker('aborted', 't', { metadata: { recoverable } })))).toMatchObject({
        status: 'interrupted',
        recoverable: true,
        canAppend: false,
      })
    }
    expect(status(turn(marker('aborted', 't', { metadata: { recoverable: 'no' } }))).status).toBe('cancelled')
  })

  test('tree:35 a save point changes nothing', () => {
    const saved = marker('save_point', 't')
    expect(status([marker('started', 't'), saved, marker('completed', 't'), saved]).status).toBe('completed')
    expect(status([marker('started', 't'), saved]).status).toBe('interrupted')
    expect(status([saved]).status).toBe('idle')
  })

  test('tree:35 the latest turn counts: started and not ended is running, whatever ended after it', () => {
    const steps = [marker('started', 's'), marker('started', 't'), marker('completed', 's')]
    expect(status(steps)).toMatchObject({ status: 'interrupted', turnId: 't' })
    expect(status(steps, { activeTurnId: 't' })).toMatchObject({ status: 'running', turnId: 't' })
  })

  test('tree:35 waiting: the question of the newest ask_user call of that turn', () => {
    const steps = [marker('started', 't'), ask('t', '{"question":"Old?"}'), ask('t', QUESTION), marker('waiting', 't')]
    expect(status(steps)).toEqual({
      status: 'waiting',
      turnId: 't',
      prompt: 'Which one?',
      recoverable: false,
      canAppend: true,
    })
    expect(status([marker('started', 't'), ask('s', QUESTION), marker('waiting', 't')]).prompt).toBe('')
  })

  test('tree:35 the question is empty for malformed arguments, which are never shown', () => {
    for (const input of ['{"question":7}', '{"secret":1}', 'secret', 'null', '']) {
      const steps = [marker('started', 't'), ask('t', QUESTION), ask('t', input), marker('waiting', 't')]
      expect(status(steps).prompt).toBe('')
    }
    expect('prompt' in status([marker('started', 't'), ask('t', QUESTION), marker('completed', 't')])).toBe(false)
  })

  test('takes no more entries than the newest turn has', () => {
    const steps = [
      ...Array.from({ length: 100 }, () => user('x')),
      marker('started', 't'),
      assistant('y'),
      marker('completed', 't'),
    ]
    const derivation = new LifecycleDerivation<RoleMessage>(format)
    let taken = 0
    for (const entry of pathOf<RoleMessage>(steps).toReversed()) {
      taken++
      if (!derivation.add(entry)) break
    }
    expect(taken).toBe(3)
  })
})
