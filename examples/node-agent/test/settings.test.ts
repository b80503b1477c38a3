import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { InputError } from '../src/input-error.ts'
import { parseSettings } from '../src/settings.ts'

const parse = (...args: string[]) => parseSettings(args, '/where/i/am')

test('without options: a generated transcript into a new folder, another one each time', () => {
  expect(parse()).toMatchObject({
    adapter: 'node-fs',
    id: undefined,
    transcript: undefined,
    kill: 'tool',
    seed: 1,
  })
  expect(dirname(parse()?.dir ?? '')).toBe(tmpdir())
  expect(parse()?.dir).not.toBe(parse()?.dir)
})

test('paths are relative to where the command was typed; a leading -- is accepted', () => {
  expect(parse('--', '--dir', 'store', '--id=x', 'a/b.jsonl')).toEqual({
    adapter: 'node-fs',
    dir: '/where/i/am/store',
    id: 'x',
    transcript: '/where/i/am/a/b.jsonl',
    kill: 'tool',
    seed: 1,
  })
  expect(parse('--adapter', 's3', '--dir', 'prefix/x', '/abs.jsonl')).toMatchObject({
    dir: 'prefix/x',
    transcript: '/abs.jsonl',
  })
})

test('the kill and its seed', () => {
  expect(parse('--kill', 'torn', '--seed', '4294967295')).toMatchObject({ kill: 'torn', seed: 4294967295 })
  expect(parse('--adapter=s3', '--kill=write', '--seed=0')).toMatchObject({ kill: 'write', seed: 0 })
})

test('help', () => {
  expect(parse('--help')).toBeUndefined()
  expect(parse('-h')).toBeUndefined()
})

test.each([
  [['--adapter', 'redis'], 'unknown adapter "redis"; use node-fs, sqlite, memory, s3'],
  [['a', 'b'], 'one transcript at a time, got 2'],
  [['--dir='], '--dir: expected a name'],
  [['--adapter', 'memory', '--dir', 'x'], '--dir: memory has no place'],
  [['--kill', 'softly'], '--kill: unknown way "softly"; use tool, write, torn'],
  [['--kill', 'torn', '--adapter', 'sqlite'], '--kill torn: only node-fs has lines to tear'],
  [['--kill', 'torn', '--adapter', 's3'], '--kill torn: only node-fs has lines to tear'],
  [['--kill', 'write', '--adapter', 'memory'], '--kill write: memory has no process of its own'],
  [['--seed', '1.5'], '--seed: expected a whole number from 0 to 4294967295, got "1.5"'],
  [['--seed', '4294967296'], '--seed: expected a whole number'],
  [['--seed='], '--seed: expected a whole number'],
  [['--id='], '--id: expected 1-1024 characters'],
  [['--colour'], "Unknown option '--colour'; --help shows the options"],
  [['--dir'], "Option '--dir <value>' argument missing; --help shows the options"],
])('%j is refused in one line', (args, message) => {
  expect(() => parse(...args)).toThrow(InputError)
  expect(() => parse(...args)).toThrow(message)
  expect(() => parse(...args)).toThrow(/^[^\n]*$/)
})
