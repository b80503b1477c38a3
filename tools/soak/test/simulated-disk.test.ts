import { constants } from 'node:fs'
import { contractSuite } from '@sessiontree/contract/vitest'
import { describe, expect, test } from 'vitest'
import { openNodeFs } from '../../../packages/node-fs/src/node-fs.ts'
import { SeededRandom } from '../src/seeded-random.ts'
import { SimulatedDisk, SOUND, type DiskFaults } from '../src/simulated-disk.ts'
import type { SimulatedProcess } from '../src/simulated-process.ts'
import { eagerClock } from '../src/virtual-time.ts'

let stores = 0
for (const durability of ['disk', 'process'] as const) {
  contractSuite({
    name: `node-fs on a simulated disk (${durability})`,
    async create() {
      const disk = new SimulatedDisk({
        clock: eagerClock,
        // Another seed for every store: each crash leaves something else.
        random: new SeededRandom(++stores),
        onFault: () => {
          disk.faults = SOUND
        },
      })
      let processes: SimulatedProcess[] = []
      const open = async () => {
        const process = disk.start()
        processes.push(process)
        return openNodeFs('/store', { durability, clock: eagerClock }, process.system)
      }
      return {
        open,
        ...(durability === 'disk' && {
          async openFailingNextFlush() {
            const adapter = await open()
            // The flushes of a new store are not those that are meant.
            await adapter.get('opened')
            disk.faults = { ...SOUND, failedFlush: 1 }
            return adapter
          },
        }),
        async crash() {
          if (durability === 'disk') disk.losePower()
          else for (const process of processes) process.crash()
          processes = []
        },
        destroy: async () => {},
      }
    },
  })
}

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants
const CREATE = O_RDWR | O_CREAT | O_APPEND

function setUp(seed: number = 1, faults: Partial<DiskFaults> = {}) {
  const kinds: string[] = []
  const disk = new SimulatedDisk({
    clock: eagerClock,
    random: new SeededRandom(seed),
    faults: { ...SOUND, ...faults },
    onFault: (kind) => kinds.push(kind),
  })
  return { disk, kinds, process: disk.start() }
}

function contentOf({ system }: SimulatedProcess, path: string): string {
  const file = system.open(path, O_RDONLY)
  const bytes = Buffer.alloc(100_000)
  const text = bytes.toString('latin1', 0, system.read(file, bytes, 0, 0))
  system.close(file)
  return text
}

describe('what processes see', () => {
  test('bytes appended through several open files, at once and in order', () => {
    const { disk, process } = setUp()
    const [one, other] = [process.system, disk.start().system]
    const [a, b] = [one.open('/f', CREATE), other.open('/f', CREATE)]
    one.write(a, Buffer.from('one'))
    other.write(b, Buffer.from('two'))
    one.write(a, Buffer.from('three'))
    expect(contentOf(process, '/f')).toBe('onetwothree')
    expect(other.fstat(b).size).toBe(11)
  })

  test('a file without a name lives as long as it is open', () => {
    const { process } = setUp()
    const { system } = process
    const file = system.open('/f', CREATE)
    system.write(file, Buffer.from('old'))
    expect(system.fstat(file).nlink).toBe(1)
    system.link('/f', '/g')
    expect(system.fstat(file).nlink).toBe(2)
    system.write(system.open('/new', CREATE), Buffer.from('new'))
    system.rename('/new', '/f')
    system.unlink('/g')
    expect(system.fstat(file)).toMatchObject({ nlink: 0, size: 3 })
    expect(contentOf(process, '/f')).toBe('new')
    expect(() => system.rename('/new', '/f')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('the errors of a file system', () => {
    const { system } = setUp().process
    system.makeFolder('/a/b')
    system.close(system.open('/a/f', CREATE))
    const failing: [string, () => unknown][] = [
      ['ENOENT', () => system.open('/a/x', O_RDONLY)],
      ['ENOENT', () => system.open('/x/f', CREATE)],
      ['ENOTDIR', () => system.open('/a/f/g', CREATE)],
      ['EISDIR', () => system.open('/a', O_RDWR)],
      ['EEXIST', () => system.open('/a/f', CREATE | O_EXCL)],
      ['EEXIST', () => system.link('/a/f', '/a/f')],
      ['ENOTEMPTY', () => system.removeFolder('/a')],
      ['ENOENT', () => system.unlink('/a/x')],
    ]
    for (const [code, act] of failing) expect(act, code).toThrow(expect.objectContaining({ code }))
    expect(system.readFolder('/a').map((entry) => [entry.name, entry.isDirectory()])).toEqual([
      ['b', true],
      ['f', false],
    ])
  })
})

describe('what a crash leaves', () => {
  test('of a process: every byte that it wrote, a part of the write that it died in, and no open file', () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk, process } = setUp(seed)
      const file = process.system.open('/f', CREATE)
      process.system.write(file, Buffer.from('whole'))
      process.crashAfter(1)
      expect(() => process.system.write(file, Buffer.from('part'))).toThrow('died in write')
      expect(() => process.system.fstat(file)).toThrow('is dead')
      expect(process.openFiles).toBe(0)
      const content = contentOf(disk.start(), '/f')
      expect('wholepart'.startsWith(content)).toBe(true)
      lengths.add(content.length)
    }
    expect([...lengths].toSorted((a, b) => a - b)).toEqual([5, 6, 7, 8, 9])
  })

  test('of the machine: what was flushed for certain, of the rest a start, NULs between, or all', async () => {
    const [saved, unsaved] = ['s'.repeat(100), 'u'.repeat(2000)]
    const found = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { disk, process } = setUp(seed)
      const { system } = process
      const file = system.open('/f', CREATE)
      system.write(file, Buffer.from(saved))
      await system.flush(file)
      await system.flushFolder('/')
      system.write(file, Buffer.from(unsaved))
      disk.losePower()
      const content = contentOf(disk.start(), '/f')
      expect(content.startsWith(saved)).toBe(true)
      const rest = content.slice(saved.length)
      expect(rest.length).toBeLessThanOrEqual(unsaved.length)
      expect(rest).toMatch(/^[u\0]*$/)
      if (rest === '') found.add('nothing')
      else if (rest === unsaved) found.add('everything')
      else if (!rest.includes('\0')) found.add('a start')
      else found.add(rest.includes('u') ? 'holes' : 'NULs')
    }
    expect([...found].toSorted()).toEqual(['NULs', 'a start', 'everything', 'holes', 'nothing'])
  })

  test('of the machine: a name only if its folder was flushed, and a name that was taken away comes back', async () => {
    const names = new Set<string>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk, process } = setUp(seed)
      const { system } = process
      system.close(system.open('/kept', CREATE))
      await system.flushFolder('/')
      system.close(system.open('/new', CREATE))
      system.unlink('/kept')
      disk.losePower()
      const { system: after } = disk.start()
      names.add(
        after
          .readFolder('/')
          .map(({ name }) => name)
          .toSorted()
          .join(' '),
      )
      for (const { name } of after.readFolder('/')) {
        expect(after.fstat(after.open(`/${name}`, O_RDONLY)).nlink).toBe(1)
      }
    }
    expect([...names].toSorted()).toEqual(['kept', 'kept new', 'new'])
  })

  test('a flush that was under way saves nothing for certain, and never ends', async () => {
    let lost = 0
    for (let seed = 0; seed < 20; seed++) {
      const { disk, process } = setUp(seed)
      const { system } = process
      const file = system.open('/f', CREATE)
      await system.flushFolder('/')
      system.write(file, Buffer.from('bytes'))
      let ended = false
      void system.flush(file).then(() => (ended = true))
      disk.losePower()
      await new Promise(setImmediate)
      expect(ended).toBe(false)
      if (contentOf(disk.start(), '/f') !== 'bytes') lost++
    }
    expect(lost).toBeGreaterThan(0)
  })
})

describe('faults', () => {
  test('a failed flush is told once to each open file, and what it was to save is gone for good', async () => {
    const { disk, process, kinds } = setUp(1, { failedFlush: 1 })
    const { system } = process
    const [file, other] = [system.open('/f', CREATE), system.open('/f', CREATE)]
    disk.faults = SOUND
    await system.flushFolder('/')
    system.write(file, Buffer.from('lost'))
    disk.faults = { ...SOUND, failedFlush: 1 }
    await expect(system.flush(file)).rejects.toMatchObject({ code: 'EIO' })
    disk.faults = SOUND
    system.write(other, Buffer.from('kept'))
    await expect(system.flush(other)).rejects.toMatchObject({ code: 'EIO' })
    await system.flush(other)
    await system.flush(file)
    expect(contentOf(process, '/f')).toBe('lostkept')
    disk.losePower()
    expect(contentOf(disk.start(), '/f')).toBe('\0\0\0\0kept')
    expect(kinds).toEqual(['failed flush'])
  })

  test('a short write takes at least a byte, and a full disk none', () => {
    const { disk, process, kinds } = setUp(1, { shortWrite: 1 })
    const { system } = process
    const file = system.open('/f', CREATE)
    const written = system.write(file, Buffer.from('0123456789'))
    expect(written).toBeGreaterThan(0)
    expect(written).toBeLessThan(10)
    expect(contentOf(process, '/f')).toBe('0123456789'.slice(0, written))
    disk.faults = { ...SOUND, noSpace: 1 }
    expect(() => system.write(file, Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(kinds).toEqual(['short write', 'ENOSPC'])
  })
})
