import { expect, test } from 'vitest'
import { probe } from './conformance.ts'
import {
  noServer,
  openStore,
  realPlace,
  serverIsRequired,
  serverName,
  startStub,
  stubPlace,
  type Place,
} from './servers.ts'

const names = ['a!', 'a!/!', 'a!/0', 'a!/f', "a'(*)!", 'a-b!', 'a.b!', 'a/b!', 'a/b!/0', 'a0!', 'a_!', 'aa!', 'a~!']
const groups = ['a!', "a'(*)!", 'a-b!', 'a.b!', 'a/b!', 'a0!', 'a_!', 'aa!', 'a~!']
const keys = (from: number, to: number) => names.slice(from, to).map((name) => `l/${name}`)

/** What AWS documents, and what the adapter needs. */
const EXPECTED = {
  create: 200,
  'create again': '412 PreconditionFailed',
  'create again left it': 'one',
  '20 creates at once': { won: 1, lost: 19, other: [] },
  replace: 200,
  'replace a stale one': '412 PreconditionFailed',
  'replace with an ETag that never was': '412 PreconditionFailed',
  'replace what is absent': '404 NoSuchKey',
  'and it is still absent': '404 NoSuchKey',
  '20 replacements at once': { won: 1, lost: 19, other: [] },
  'an ETag has quotes and is the MD5': '"1cb251ec0d568de6a929b520c4aed8d1"',
  'equal contents have equal ETags, others not': [true, false],
  'GET, HEAD and LIST name the same ETag': [true, true, true],
  'sizes in a listing': [4, 4, 5],
  'remove a stale one': '412 PreconditionFailed',
  'remove the right one': '204',
  'and it is gone': '404 NoSuchKey',
  'remove what is absent': '204',
  'remove what is absent, by ETag': true,
  'batch delete': [['e/2', 'e/3', 'e/none'], []],
  'after it': [],
  'range bytes=0-3': [206, undefined, '0123'],
  'range bytes=8-99': [206, undefined, '89'],
  'range bytes=-2': [206, undefined, '89'],
  'range bytes=10-20': [416, 'InvalidRange', undefined],
  'HEAD of nothing': 404,
  'bucket missing': ['404 NoSuchBucket', '404 NoSuchBucket', '404 NoSuchBucket'],
  'create the bucket again': '200',
  order: keys(0, 13),
  'a page': { keys: keys(0, 3), prefixes: [], truncated: true, count: 3 },
  'start after a key': { keys: keys(4, 6), prefixes: [], truncated: true, count: 2 },
  'start after what is no key': { keys: keys(6, 8), prefixes: [], truncated: true, count: 2 },
  'start after the last': { keys: [], prefixes: [], truncated: false, count: 0 },
  grouped: { keys: [], prefixes: groups.map((name) => `l/${name}`), truncated: false, count: 9 },
  'grouped, a page': { keys: [], prefixes: groups.slice(0, 3).map((name) => `l/${name}`), truncated: true, count: 3 },
  'grouped, after a group': { keys: [], prefixes: ["l/a'(*)!", 'l/a-b!'], truncated: true, count: 2 },
  'names its bucket': true,
  nothing: { keys: [], prefixes: [], truncated: false, count: 0 },
  'by continuation token, delimiter undefined': [keys(0, 5), keys(5, 10), keys(10, 13)],
  'by continuation token, delimiter !': [groups.slice(0, 5), groups.slice(5)].map((page) =>
    page.map((name) => `l/${name}`),
  ),
}

async function answers(place: Place): Promise<Record<string, unknown>> {
  await using store = openStore(place)
  return await probe(store.client, place.bucket, store.prefix)
}

test('the stub answers as S3 does', async () => {
  await using stub = await startStub()
  expect(await answers(stubPlace(stub))).toEqual(EXPECTED)
})

test.skipIf(noServer && !serverIsRequired)(
  `${serverName} answers as S3 does${noServer ? `: ${noServer}` : ''}`,
  async () => {
    expect(await answers(await realPlace())).toEqual(EXPECTED)
  },
)

test('a store that ignores conditions is found out', async () => {
  await using stub = await startStub({ ignoreConditions: true })
  const seen = await answers(stubPlace(stub))
  expect(
    Object.keys(EXPECTED).filter(
      (what) => JSON.stringify(seen[what]) !== JSON.stringify(EXPECTED[what as keyof typeof EXPECTED]),
    ),
  ).toEqual([
    'create again',
    'create again left it',
    '20 creates at once',
    'replace a stale one',
    'replace with an ETag that never was',
    'replace what is absent',
    'and it is still absent',
    '20 replacements at once',
    'remove a stale one',
  ])
})
