import { assert, assertEqual } from '../assert.ts'
import { collect } from '../reading.ts'
import { assertTypeError } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'

/** Contents that a store, a parser or a copy may lose. Own `__proto__` keys need `JSON.parse`. */
const contents: readonly unknown[] = [
  JSON.parse('{"__proto__":{"polluted":true},"constructor":null,"toString":1}'),
  JSON.parse('{"a":{"__proto__":1,"b":2}}'),
  { '': 'empty', '2': 'second', '1': 'first', '01': 'third' },
  'lone surrogates \ud800 and \udc00\ud800',
  { '\ud800': 'as a key' },
  '\u0000\u001f\u007f\u0085\u2028\u2029\ufeff\ufffe\uffff',
  'line\r\nbreaks\nand "quotes" \\ and </script>',
  '😀👩‍👩‍👧 e\u0301 \u00e9 \ufb01',
  [2 ** 53 + 2, -(2 ** 53), Number.MAX_VALUE, Number.MIN_VALUE, 0.1 + 0.2, 1e21, 1e-7],
  [null, true, false, 0, '', [], {}],
  nested(200),
  'x'.repeat(1_200_000),
]

const refused: readonly (readonly [string, () => unknown])[] = [
  ['NaN', () => NaN],
  ['Infinity', () => [Infinity]],
  ['a bigint', () => ({ a: 1n })],
  ['bytes', () => new Uint8Array(3)],
  ['a date', () => new Date(0)],
  ['a map', () => new Map([[1, 2]])],
  ['a cycle', cycle],
  ['a depth of 100,000', () => nested(100_000)],
  ['undefined in a list', () => [undefined]],
  ['a function', () => ({ call: () => 1 })],
]

function nested(depth: number): unknown {
  let value: unknown = 'deep'
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

function cycle(): unknown {
  const object: { self?: unknown } = {}
  object.self = object
  return object
}

/** Content of any kind. */
export const contentCases: readonly SessionCase[] = [
  {
    id: 'session/odd-content',
    group: 'session',
    title: 'whatever JSON can keep comes back deep-equal, with the same hash, and verifies',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      const stored = []
      for (const content of contents) stored.push(await session.append({ role: 'user', content }))
      const again = await (await sessions()).open('s')
      const read = await collect(again.entries())
      assertEqual(read, stored, 'the entries')
      const { messages } = await again.context()
      assertEqual(
        messages,
        contents.map((content) => ({ role: 'user', content })),
        'the messages',
      )
      assert(({} as { polluted?: unknown }).polluted === undefined, 'no prototype is polluted')
      assert((await again.verify()).ok, 'the session verifies')
    },
  },
  {
    id: 'session/refused-content',
    group: 'session',
    title: 'what JSON cannot keep is a TypeError, and nothing is written, nothing half-done',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      await session.append({ role: 'user', content: 'before' })
      for (const [name, make] of refused) {
        await assertTypeError(() => session.append({ role: 'user', content: make() }), name)
        const batch = [
          { role: 'user', content: 'good' },
          { role: 'user', content: make() },
        ]
        await assertTypeError(() => session.append(batch), `${name}, in a batch`)
      }
      await session.append({ role: 'user', content: 'after' })
      const { messages } = await (await (await sessions()).open('s')).context()
      assertEqual(
        messages.map(({ content }) => content),
        ['before', 'after'],
        'the messages',
      )
    },
  },
]
