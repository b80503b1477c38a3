import { assert, assertEqual } from '../assert.ts'
import { inGroups } from '../in-groups.ts'
import { collect } from '../reading.ts'
import { assertCode, assertTypeError } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'

/** Ids that a place may confuse: with one another, with a path, with a device. */
const ids: readonly string[] = [
  '.',
  '..',
  '../..',
  '/',
  'a/b',
  'a_b',
  'a b',
  'a%2fb',
  'a~2fb',
  'A',
  'a',
  '\u00e9',
  'e\u0301',
  '😀',
  '\u0000',
  'a\u0000b',
  ' ',
  ' leading',
  'leading',
  'tab\t',
  'trailing',
  'trailing ',
  'trailing\u00a0',
  'trailing  ',
  'trailing.',
  'con',
  'CON',
  'nul.txt',
  '__proto__',
  '-',
  '\\',
  '*?"<>|',
  'İ',
  'x'.repeat(1024),
  `${'x'.repeat(1023)}y`,
  '\uffff',
]

/** Session ids of any kind. */
export const idCases: readonly SessionCase[] = [
  {
    id: 'tree:32/ids',
    group: 'tree',
    title: 'ids of any kind stay apart and come back as given; what is no id is refused before anything is written',
    async run({ sessions }) {
      const writing = await sessions()
      const numbered = [...ids.entries()]
      await inGroups(numbered, async ([i, id]) => {
        const session = await writing.create(id, { title: `session ${i}` })
        await session.append({ role: 'user', content: `message ${i}` })
      })
      for (const bad of ['', 'x'.repeat(1025), 'x'.repeat(10_000), '\ud800', 'a\udc00']) {
        await assertTypeError(() => writing.create(bad), `create with a bad id of ${bad.length} characters`)
        await assertTypeError(() => writing.open(bad), `open with a bad id of ${bad.length} characters`)
      }
      const reading = await sessions()
      const listed = await collect(reading.list())
      assertEqual(listed.map(({ id }) => id).toSorted(), [...ids].toSorted(), 'the ids in the list')
      await inGroups(numbered, async ([i, id]) => {
        const session = await reading.open(id)
        const { messages } = await session.context()
        assertEqual([session.id, session.title], [id, `session ${i}`], `session ${i}`)
        assertEqual(messages, [{ role: 'user', content: `message ${i}` }], `the messages of session ${i}`)
        await assertCode(reading.create(id), 'EXISTS', `create of session ${i} again`)
      })
    },
  },
  {
    id: 'session/entry-ids',
    group: 'session',
    title: 'an entry keeps whatever id it was given; the same id and content are stored once',
    async run({ sessions }) {
      const session = await (await sessions()).create('s')
      for (const id of ids) {
        const entry = await session.append({ role: 'user', content: id }, { id })
        assertEqual(await session.append({ role: 'user', content: id }, { id }), entry, 'the same call again')
        await assertCode(session.append({ role: 'user', content: 'other' }, { id }), 'DUPLICATE', 'other content')
      }
      const again = await (await sessions()).open('s')
      assertEqual(
        (await collect(again.entries())).map(({ id }) => id),
        ids,
        'the ids of the entries',
      )
      assert((await again.verify()).ok, 'the session verifies')
    },
  },
]
