import { randomInt } from 'node:crypto'
import { localFileSystem, type FileSystem } from '../../src/file-system.ts'

/** A file system that cuts one write in so many at a random byte, and takes the process with it. */
export function cuttingSystem(oneIn: number): FileSystem {
  return {
    ...localFileSystem,
    write(file, bytes) {
      if (randomInt(oneIn) > 0) return localFileSystem.write(file, bytes)
      // All but the line feed is the cut that fuses two lines; a cut at a line's end leaves half a batch.
      const ends = [bytes.length - 1, bytes.indexOf('\n') + 1, randomInt(bytes.length)]
      localFileSystem.write(file, bytes.subarray(0, ends[randomInt(ends.length)]))
      process.kill(process.pid, 'SIGKILL')
      throw new Error('killed')
    },
  }
}
