import { buildContext, roleContent, type EntryContent, type RoleMessage } from '@sessiontree/core'
import { assert, assertEqual } from '../assert.ts'
import { counting } from '../counting.ts'
import { collect } from '../reading.ts'
import { assertCode } from '../rejection.ts'
import type { SessionCase } from '../session-case.ts'
import { say, user } from './conversation.ts'

const LENGTH = 10_000
const BETWEEN_COMPACTIONS = 1000

/** Lines 37 and 38 of the session tree: what another version wrote, and what long histories cost. */
export const formatLines: readonly SessionCase[] = [
  {
    id: 'tree:37',
    group: 'tree',
    title: 'a session of a newer format, or of other messages, is refused with FORMAT by every call, and not changed',
    async run({ open, sessions }) {
      const one = await sessions()
      const adapter = await open()
      for (const [id, change] of [
        ['newer', { format: 2 }],
        ['foreign', { messageFormat: 'of another library' }],
      ] as const) {
        const early = await one.create(id)
        await say(early, 'a')
        const key = `session/${id}`
        const { value, version } = { ...(await adapter.get(key)) }
        const changed = JSON.stringify({ ...(JSON.parse(String(value)) as object), ...change })
        await adapter.put(key, changed, { expect: String(version) })
        const log = await collect(adapter.read(`${key}/0`))
        const two = await sessions()
        await assertCode(two.open(id), 'FORMAT', `open of what is ${id}`)
        await assertCode(two.getOrCreate(id), 'FORMAT', `getOrCreate of what is ${id}`)
        if (id === 'newer') {
          await assertCode(two.delete(id), 'FORMAT', `delete of what is ${id}`)
          await assertCode(early.update({ title: 'x' }), 'FORMAT', `update of what is ${id}`)
          await assertCode(early.refresh(), 'FORMAT', `a look at what is ${id}`)
          const listed = (await collect(two.list())).find((info) => info.id === id)
          await assertCode(Promise.reject(listed?.problem), 'FORMAT', `what a list says of what is ${id}`)
        }
        await two.sweep()
        assertEqual((await adapter.get(key))?.value, changed, `the document of what is ${id}`)
        assertEqual(await collect(adapter.read(`${key}/0`)), log, `the log of what is ${id}`)
      }
    },
  },
  {
    id: 'tree:38',
    group: 'tree',
    title:
      'the context of 10,000 entries costs what it holds, and the projection of a whole path looks at each message a few times',
    async run({ open, sessions }) {
      const session = await (await sessions()).create('s')
      const contents = Array.from({ length: LENGTH }, (_, i): EntryContent<RoleMessage> =>
        i % BETWEEN_COMPACTIONS === BETWEEN_COMPACTIONS - 100
          ? { type: 'compaction', summary: `up to ${i}`, firstKeptEntryId: null }
          : { type: 'user_message', message: user(`message ${i}`) },
      )
      for (let at = 0; at < LENGTH; at += BETWEEN_COMPACTIONS) {
        await session.record(contents.slice(at, at + BETWEEN_COMPACTIONS))
      }
      const { adapter, counts } = counting(await open())
      const cold = await (await sessions({}, adapter)).open('s')
      const { messages } = await cold.context()
      assertEqual([messages.length, messages.at(-1)], [100, user('message 9999')], 'the context')
      assert(counts.read.records <= 1000, `at most 1,000 records are read for it, not ${counts.read.records}`)
      const path = await collect(cold.path())
      assertEqual(path.length, LENGTH, 'the length of the path')
      assert(counts.read.records <= 2 * LENGTH, `a path is read about once, not ${counts.read.records / LENGTH} times`)
      const plain = path.filter(({ type }) => type !== 'compaction')
      const [half, whole] = [looks(plain.slice(0, plain.length / 2)), looks(plain)]
      assert(whole <= 4 * plain.length, `${whole} looks at ${plain.length} messages`)
      assert(whole <= 2.1 * half, `${half} looks at half of the path, ${whole} at all of it`)
    },
  },
]

/** How often a projection looks at a message. */
function looks(path: Parameters<typeof buildContext<RoleMessage>>[0]): number {
  let count = 0
  const plain = roleContent()
  const { messages } = buildContext(path, {
    ...plain,
    read(message) {
      count++
      return plain.read?.(message) ?? { text: '', calls: [], results: [], attachments: [] }
    },
  })
  assertEqual(messages.length, path.length, 'the messages of a path')
  return count
}
