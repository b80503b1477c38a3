import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { nodeFs } from '@sessiontree/node-fs'
import { CorruptError } from '../src/errors.ts'
import { contentHash, encodeRecord, ROOT_DIGEST } from '../src/record.ts'
import { openSessions } from '../src/sessions.ts'
import { describeReader, runReader } from './reader.ts'
import { seededClock, seededRandom } from './seeded.ts'

/** A line as the format says, written without node-fs. */
function written(at: number, pos: number, body: string): string {
  const text = `{"at":${at},"pos":${pos},"more":0,"by":"test",${body}`
  return `${text},"crc":"${crc32(text).toString(16).padStart(8, '0')}"}\n`
}

describeReader('tools/read_sessiontree.py on a store of node-fs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sessiontree-reader-'))
  // Thousands of small files: a loaded machine takes its time.
  afterAll(() => rmSync(folder, { recursive: true }), 120_000)

  const user = (content: unknown) => ({ role: 'user', content })
  const store = (name: string, scope: readonly string[] = []) =>
    openSessions(nodeFs(join(folder, name), { durability: 'process', random: seededRandom(7) }), {
      scope,
      clock: seededClock(),
      random: seededRandom(8),
    })

  test('reads what core wrote through node-fs: batches, branches, scopes, an empty session, text of any kind', async () => {
    await using sessions = store('whole')
    const session = await sessions.create('Où est/mon colis ?', { title: 'Lost parcel' })
    const first = await session.append(user('Where is my parcel?'))
    await session.append([
      user('\ud800'),
      user([1e21, 5e-324, -0, 0.1 + 0.2]),
      user({ ['__proto__']: null, 10: 1, 9: 2 }),
    ])
    await session.moveTo(first)
    await session.record({ type: 'hologram', '\ufb33': '\u2028', '😀': '\0' }, { id: 'mine' })
    await session.moveTo(null)
    const end = await session.append(user('A new root'), { createdAt: '1999-12-31T23:59:59.999Z' })
    await sessions.create('empty')
    await using scoped = store('whole', ['Acme', 'con'])
    await (await scoped.create('empty')).append(user('Not empty'))

    const { output, status } = runReader(join(folder, 'whole'))
    const lines = output.trimEnd().split('\n')
    expect(lines).toEqual([
      'session/empty: 0 entries, 0 lost, leaf None, digest None, ok',
      `session/~4f~c3~b9~20est~2fmon~20colis~20~3f: 6 entries, 0 lost, leaf ${end.id}, digest ${end.digest}, ok`,
      expect.stringMatching(/^~41cme\.0\/~63on\.0\/session\/empty: 1 entries, 0 lost, leaf .*, ok$/),
      '3 checked, 0 damaged',
    ])
    expect(status).toBe(0)
    expect(runReader(join(folder, 'whole'), 'Où est/mon colis ?').output).toBe(`${lines[1]}\n1 checked, 0 damaged\n`)
  })

  test('takes what lies below an erased scope for absent, damaged or not', async () => {
    await using outer = store('scopes', ['Acme', 'con'])
    await (await outer.create('before')).append(user('erased'))
    expect(runReader(join(folder, 'scopes')).output).toMatch(/^~41cme\.0\/~63on\.0\/session\/before: 1 entries/)
    // The number alone decides, whether or not anything was removed.
    const adapter = nodeFs(join(folder, 'scopes'))
    await adapter.put('~41cme.0/scope/~63on', '{"format":1,"incarnation":1}', { expect: 'absent' })
    await using inner = store('scopes', ['Acme', 'con'])
    await (await inner.create('after')).append(user('kept'))
    appendFileSync(join(folder, 'scopes/doc/~41cme.0/~63on.0/session/before.jsonl'), '#')
    const { output, status } = runReader(join(folder, 'scopes'))
    expect(output.split('\n')).toEqual([
      '~41cme.0/~63on.0/session/before: erased',
      expect.stringMatching(/^~41cme\.0\/~63on\.1\/session\/after: 1 entries/),
      '2 checked, 0 damaged',
      '',
    ])
    expect(status).toBe(0)
    // By the outer number all of it is, whatever the inner one says.
    await adapter.put('scope/~41cme', '{"format":1,"incarnation":1}', { expect: 'absent' })
    await adapter.close()
    expect(runReader(join(folder, 'scopes')).output).toContain('session/after: erased\n2 checked, 0 damaged')
    appendFileSync(join(folder, 'scopes/doc/scope/~41cme.jsonl'), '#')
    expect(runReader(join(folder, 'scopes')).output).toContain('2 checked, 2 damaged')
  })

  test('reads forks: across the logs of ancestors, in a copy after one was deleted, and not what is no longer there', async () => {
    const root = join(folder, 'forks')
    await using sessions = store('forks')
    const a = await sessions.create('a')
    await a.append([user('one'), user('two'), user('off')], { id: ['one', 'two', 'off'] })
    await a.append(user('three'), { id: 'three', parent: 'two' })
    const b = await a.fork({ id: 'b' })
    await b.append(user('b'), { parent: 'one' })
    const c = await b.fork({ id: 'c' })
    const end = await c.append(user('c'))
    const line = `session/c: 3 entries, 0 lost, leaf ${end.id}, digest ${end.digest}, ok`
    expect(runReader(root, 'c').output).toContain(line)
    expect(runReader(root, 'b').output).toContain('session/b: 4 entries')
    await sessions.delete('a')
    expect(runReader(root)).toMatchObject({ status: 0, output: expect.stringContaining(line) })
    rmSync(join(root, 'log/session/b/0.jsonl'))
    expect(runReader(root, 'c')).toMatchObject({ status: 1, output: expect.stringContaining('does not hold') })
  })

  test('reads a repaired log: lost records, and entries whose parents are lost', async () => {
    const { root, log } = await original('repaired')
    const lines = log.toString().split(/(?<=\n)/)
    const file = join(root, 'log/session/a/0.jsonl')
    writeFileSync(file, log.toString().replace(lines[1] as string, `${'#'.repeat((lines[1] as string).length - 1)}\n`))
    expect(runReader(root).output).toContain('record 1: ')
    await using sessions = store('repaired')
    const session = await sessions.open('a')
    expect(await session.repair()).toMatchObject({ repaired: true, lost: [{ first: 1, last: 2 }] })
    await session.append(user('five'))
    const { digest } = await session.verify()
    expect(runReader(root)).toMatchObject({
      status: 0,
      output: expect.stringMatching(new RegExp(`^session/a: 3 entries, 2 lost, leaf .*, digest ${digest}, ok\n`)),
    })
  })

  test('tells a tombstone, a removed document and a newer format, and goes on where a seal says', async () => {
    const root = join(folder, 'documents')
    const adapter = nodeFs(root)
    const put = (id: string, document: object) =>
      adapter.put(`session/${id}`, JSON.stringify(document), { expect: 'absent' })
    await put('deleted', { format: 1, state: 'tombstone' })
    await put('newer', { format: 2, state: 'live', id: 'newer', incarnation: 0 })
    await put('sealed', { format: 1, state: 'live', id: 'sealed', incarnation: 0 })
    await put('removed', { format: 1, state: 'live' })
    await adapter.remove('session/removed')
    await adapter.close()
    const sealed = join(root, 'doc/session/sealed.jsonl')
    appendFileSync(sealed, written(1, statSync(sealed).size, '"next":"sealed.jsonl+1+test"'))
    writeFileSync(`${sealed}+1+test`, written(1, 0, '"record":{"format":1,"state":"deleting"}'))

    expect(runReader(root)).toEqual({
      status: 1,
      output:
        'session/deleted: tombstone\nsession/newer: this reader does not know format 2\nsession/removed: removed\n' +
        'session/sealed: deleting\n4 checked, 1 damaged\n',
    })
    renameSync(`${sealed}+1+test`, sealed)
    expect(runReader(root, 'sealed')).toEqual({ status: 0, output: 'session/sealed: deleting\n1 checked, 0 damaged\n' })
  })

  /** A store with one session, and a way to put copies of it beside it, whose log or document is another one. */
  async function original(name: string) {
    const root = join(folder, name)
    await using sessions = store(name)
    const session = await sessions.create('a')
    const first = await session.append(user('one'))
    await session.append([user('two'), user('three')])
    await session.append(user('four'), { parent: first })
    const log = readFileSync(join(root, 'log/session/a/0.jsonl'))
    const document = readFileSync(join(root, 'doc/session/a.jsonl'))
    let copies = 0
    const copy = (changed: { readonly log?: Buffer; readonly document?: Buffer }) => {
      const id = `a${copies++}`
      mkdirSync(join(root, 'log/session', id))
      writeFileSync(join(root, 'log/session', id, '0.jsonl'), changed.log ?? log)
      writeFileSync(join(root, 'doc/session', `${id}.jsonl`), changed.document ?? document)
      return id
    }
    return { root, log, document, copy }
  }

  test('notices every flipped byte of a log and of a document', async () => {
    const { root, log, document, copy } = await original('flipped')
    const flipped = (bytes: Buffer, at: number) => {
      const changed = Buffer.from(bytes)
      changed[at] = bytes.readUInt8(at) ^ 1
      return changed
    }
    for (let at = 0; at < log.length; at++) copy({ log: flipped(log, at) })
    for (let at = 0; at < document.length; at++) copy({ document: flipped(document, at) })
    const count = log.length + document.length
    expect(count).toBeGreaterThan(1500)

    const { output, status } = runReader(root)
    const fine = output.split('\n').filter((line) => line.endsWith(', ok'))
    expect(fine).toEqual([expect.stringMatching(/^session\/a: 4 entries/)])
    expect(output).toMatch(new RegExp(`\n${count + 1} checked, ${count} damaged\n$`))
    expect(status).toBe(1)
  })

  type Fields = Record<string, unknown>
  const closed = (last: Fields): Fields => {
    const content = { type: 'closed' }
    const { text } = encodeRecord({
      id: 'end',
      parentId: null,
      parentDigest: ROOT_DIGEST,
      createdAt: '2026-11-21T10:00:00.000Z',
      content,
      hash: contentHash(content),
      leaf: { id: String(last['id']), position: [0, 0] },
      epoch: 0,
      turn: null,
      hints: {},
    })
    return JSON.parse(text) as Fields
  }
  test.each<[string, (records: Fields[]) => void, string]>([
    ['nothing', () => {}, '4 entries, '],
    ['the content', (records) => (records[2]!['message'] = user('tree')), 'wrong hash'],
    ['the content of a field that nobody knows', (records) => (records[2]!['later'] = 1), 'wrong hash'],
    ['the time', (records) => (records[2]!['createdAt'] = '2026-11-21T10:00:00.000Z'), 'wrong hash or digest'],
    ['the turn', (records) => (records[2]!['turnId'] = 'turn'), 'wrong hash or digest'],
    ['the parent', (records) => (records[2]!['parentId'] = records[0]!['id']), 'wrong hash or digest'],
    [
      'the hash, with the content',
      (records) => Object.assign(records[3]!, { message: user('two'), hash: records[1]!['hash'] }),
      'wrong hash or digest',
    ],
    ['the leaf', (records) => (records[3]!['leaf'] = { id: 'nobody', position: [0, 0] }), "KeyError('nobody')"],
    ['the order', (records) => records.splice(1, 2, records[2]!, records[1]!), 'record 1: KeyError('],
    ['its last record, which ends it', (records) => records.push(closed(records[3]!)), '4 entries, '],
    [
      'a record that ends it in the middle',
      (records) => records.splice(2, 0, closed(records[0]!)),
      "record 3: ValueError('behind the record that ended the log')",
    ],
    ['the number of records', (records) => records.splice(1, 1), 'record 1: KeyError('],
    [
      'what is outside hash and digest',
      (records) => Object.assign(records[2]!, { $later: 1, epoch: 7, hints: {} }),
      '4 e',
    ],
  ])('a store rewritten with right checksums, but for %s', async (what, change, said) => {
    const { root, log, copy } = await original(`rewritten ${what}`)
    const texts = log.toString().split('\n').slice(0, -1)
    const records = texts.map((text) => (JSON.parse(text) as { record: Fields }).record)
    change(records)
    let bytes = ''
    for (const [at, record] of records.entries())
      bytes += written(at, bytes.length, `"record":${JSON.stringify(record)}`)
    const id = copy({ log: Buffer.from(bytes) })
    expect(runReader(root, id).output).toContain(said)
  })

  /** What may become of a file: it is cut, torn writes and lines for another place follow, and bytes of it are damaged. */
  interface Change {
    readonly kept: number | null
    readonly appended: readonly { readonly piece: number; readonly cut: number | null }[]
    readonly damage: { readonly kind: string; readonly at: number; readonly length: number } | null
  }
  const share = fc.nat(1000).map((thousandth) => thousandth / 1000)
  const changes = fc.record<Change>({
    kept: fc.option(share),
    appended: fc.array(fc.record({ piece: fc.nat(50), cut: fc.option(share) }), { maxLength: 5 }),
    damage: fc.option(
      fc.record({
        kind: fc.constantFrom('flipped', 'overwritten', 'zeros', 'zeros to a sector', 'zeros behind', 'fused'),
        at: share,
        length: fc.nat(40),
      }),
      { freq: 2 },
    ),
  })
  function inflict(file: Buffer, { kept, appended, damage }: Change): Buffer {
    const lines = file.toString('latin1').split(/(?<=\n)/)
    const above = written(lines.length + 7, 0, '"record":{"state":"above"}')
    const pieces = [
      ...lines,
      'null\n',
      '{"at',
      above,
      `${above.slice(0, -1)}null\n`,
      '\0'.repeat(9),
      file.toString('latin1'),
    ]
    const parts = appended.map(({ piece, cut }) => {
      const bytes = Buffer.from(pieces[piece % pieces.length] as string, 'latin1')
      return bytes.subarray(0, Math.ceil((cut ?? 1) * bytes.length))
    })
    const bytes = Buffer.concat([file.subarray(0, (kept ?? 1) * file.length), ...parts])
    if (!damage || bytes.length === 0) return bytes
    const at = Math.min(Math.floor(damage.at * bytes.length), bytes.length - 1)
    const lineFeed = Math.max(0, bytes.indexOf('\n', at))
    if (damage.kind === 'flipped') bytes[at] = bytes.readUInt8(at) ^ (1 << (damage.length % 8))
    if (damage.kind === 'overwritten') bytes.subarray(at, at + damage.length).fill('#')
    if (damage.kind === 'zeros') bytes.subarray(at, at + damage.length).fill(0)
    if (damage.kind === 'zeros to a sector') bytes.subarray(at, Math.ceil((at + 1) / 512) * 512).fill(0)
    if (damage.kind === 'zeros behind') return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(damage.length)])
    if (damage.kind !== 'fused') return bytes
    return Buffer.concat([bytes.subarray(0, lineFeed), bytes.subarray(lineFeed + 1)])
  }

  test('says the same as node-fs about whatever is done to a log', async () => {
    const { root, log, copy } = await original('void')
    const sample = fc.sample(changes, { numRuns: 800, seed: 1 })
    const ids = sample.map((change) => copy({ log: inflict(log, change) }))
    const { output } = runReader(root)
    const reports = new Map(output.split('\n').map((line) => line.split(': ', 2) as [string, string]))
    const adapter = nodeFs(root)
    const outcomes = { whole: 0, gap: 0, tail: 0 }
    for (const [i, id] of ids.entries()) {
      const report = reports.get(`session/${id}`) ?? ''
      let length = 0
      let at: number | undefined
      try {
        for await (const { records } of adapter.read(`session/${id}/0`)) length += records.length
      } catch (error) {
        at = (error as CorruptError).at
      }
      // Where both a record and the end are damaged, each side names another one of them.
      const place = Number(/\.jsonl, byte \d+, record (\d+)$/.exec(report)?.[1])
      const isTail = output.includes(`session/${id}: ${report}: damaged\n`)
      const agrees = at === undefined ? report.startsWith(`${length} entries, `) : isTail ? at <= place : at === place
      expect([agrees, sample[i], at, report]).toEqual([true, sample[i], at, report])
      outcomes[at === undefined ? 'whole' : isTail ? 'tail' : 'gap']++
    }
    await adapter.close()
    expect(Math.min(...Object.values(outcomes)), JSON.stringify(outcomes)).toBeGreaterThan(25)
  })

  test('says the same as node-fs about whatever is done to a document', async () => {
    const { root, copy } = await original('documents changed')
    let document = ''
    for (const at of [0, 1, 2, 3])
      document += written(at, document.length, `"record":{"format":1,"state":"state ${at}"}`)
    const sample = fc.sample(changes, { numRuns: 800, seed: 2 })
    const ids = sample.map((change) => copy({ document: inflict(Buffer.from(document), change) }))
    const { output } = runReader(root)
    const said = new Map(output.split('\n').map((line) => line.split(': ', 2) as [string, string]))
    const adapter = nodeFs(root)
    const outcomes = { newest: 0, older: 0, absent: 0, damaged: 0 }
    for (const [i, id] of ids.entries()) {
      const report = said.get(`session/${id}`) ?? ''
      try {
        const { value = '{"state":"removed"}' } = (await adapter.get(`session/${id}`)) ?? {}
        const { state } = JSON.parse(value) as { state: string }
        expect([sample[i], report]).toEqual([sample[i], state])
        outcomes[state === 'removed' ? 'absent' : state === 'state 3' ? 'newest' : 'older']++
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error
        const byte = error.where?.match(/byte \d+$/)?.[0]
        expect([sample[i], report]).toEqual([
          sample[i],
          expect.stringMatching(new RegExp(`\\.jsonl, ${byte}, record `)),
        ])
        outcomes.damaged++
      }
    }
    await adapter.close()
    expect(Math.min(...Object.values(outcomes)), JSON.stringify(outcomes)).toBeGreaterThan(10)
  })
})
