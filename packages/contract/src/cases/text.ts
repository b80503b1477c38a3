import { MAX_DOCUMENT_BYTES, MAX_RECORD_BYTES } from '@sessiontree/core'
import type { ContractCase } from '../case.ts'
import { assertEqual } from '../assert.ts'
import { readLog } from '../reading.ts'
import { assertTypeError } from '../rejection.ts'

const LOG = 'text/log'

/** JSON texts that do not survive a parser, a normaliser, a trimmer, a framing by lines, or a careless decoder. */
const texts: readonly string[] = [
  'null',
  '"a"',
  '[]',
  '{}',
  'false',
  '""',
  '-0',
  '1e21',
  '1.0',
  '9007199254740993',
  '{"a":1,"a":2}',
  '{"2":"second","1":"first"}',
  '{"__proto__":{"polluted":true},"constructor":null}',
  '{"toString":1,"hasOwnProperty":2}',
  ' { "spaced" : [ 1 , 2 ] }\t',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000\\u001f\\u007f"',
  '"\u007f\u0080\u0085"',
  '"\\r\\n"',
  '"😀\\ud83d\\ude00👩‍👩‍👧"',
  '"\u2028\u2029"',
  '"\ufeff\ufffd\uffff"',
  '"\u00e9 e\u0301 \ufb01 \u212b \u00c5"',
  '"\u0130\u0131\u017f\u212a \u00df"',
  '"\\\\ \\" \\/ \\u00e9"',
  '"</script> %00 ${a} $& \'"',
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
  '{"at":0,"pos":0,"more":0,"by":"x","record":null,"crc":"00000000"}',
  // No JSON, which is none of an adapter's business; a careless decoder takes the mark away.
  '\ufeff1',
]

const keyOf = (i: number) => `text/document/${String(i).padStart(2, '0')}`

/** Texts, character for character. */
export const textCases: readonly ContractCase[] = [
  {
    id: 'text/kept',
    group: 'text',
    title: 'every JSON text comes back character for character, as a record and as a document',
    rules: ['text', 'read.prefix'],
    async run({ open }) {
      const writer = await open()
      await writer.append(LOG, 0, texts)
      const alone = texts.slice(0, 3)
      for (const [i, text] of alone.entries()) await writer.append(LOG, texts.length + i, [text])
      await Promise.all(texts.map((text, i) => writer.put(keyOf(i), text, { expect: 'absent' })))
      for (const reader of [writer, await open()]) {
        assertEqual(await readLog(reader, LOG), [...texts, ...alone], 'the records')
        const got = await Promise.all(texts.map((_, i) => reader.get(keyOf(i))))
        assertEqual(
          got.map((document) => document?.value),
          texts,
          'the documents',
        )
      }
    },
  },
  {
    id: 'text/large',
    group: 'text',
    title: 'texts of unusual depth and size come back whole; one byte over the bound is refused',
    rules: ['text', 'args', 'read.prefix'],
    async run({ open }) {
      const writer = await open()
      const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
      const nested = `${'{"__proto__":'.repeat(20_000)}9007199254740993${'}'.repeat(20_000)}`
      const large = `{"text":"${'0123456789abcdé\\u2028\u2028'.repeat(340_000)}"}`
      const document = `"${'é'.repeat(MAX_DOCUMENT_BYTES / 2 - 1)}"`
      await writer.append(LOG, 0, [deep, nested])
      await writer.append(LOG, 2, ['"between"', large, '"after"'])
      const version = await writer.put('text/largest', document, { expect: 'absent' })
      await writer.put('text/deep', deep, { expect: 'absent' })

      const beyond = [`"${'x'.repeat(MAX_RECORD_BYTES - 1)}"`, `"${'é'.repeat(MAX_RECORD_BYTES / 2 - 1)}x"`]
      for (const text of beyond) {
        await assertTypeError(() => writer.append(LOG, 5, [text]), 'append of 64 MiB and one byte')
      }
      await assertTypeError(
        () => writer.put('text/largest', `${document.slice(0, -1)}x"`, { expect: version }),
        'put of 1 MiB and one byte',
      )

      const reader = await open()
      const records = [deep, nested, '"between"', large, '"after"']
      assertEqual(await readLog(reader, LOG), records, 'the records')
      assertEqual(await readLog(reader, LOG, { reverse: true, readAhead: 1 }), records, 'the records in reverse')
      assertEqual(await readLog(reader, LOG, { from: 3, limit: 1 }), [large], 'the record of 8 MiB alone')
      assertEqual((await reader.get('text/largest'))?.value, document, 'the largest document')
      assertEqual((await reader.get('text/deep'))?.value, deep, 'the deepest document')
    },
  },
]
