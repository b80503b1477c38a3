import { localFileSystem, type FileSystem } from '../../src/file-system.ts'

/** How often each call was made, and how many bytes were read and written. */
export type Costs = Partial<Record<keyof FileSystem | 'bytesRead' | 'bytesWritten', number>>

/** A file system that counts; `take` tells what was done since it was asked the last time. */
export function measuredSystem(): { readonly system: FileSystem; readonly take: () => Costs } {
  let costs: Costs = {}
  const add = (name: keyof Costs, count: number) => {
    costs[name] = (costs[name] ?? 0) + count
  }
  const counted = Object.entries(localFileSystem).map(([name, call]: [string, (...args: never[]) => unknown]) => [
    name,
    (...args: never[]) => {
      add(name as keyof FileSystem, 1)
      const result = call(...args)
      if (name === 'read') add('bytesRead', Number(result))
      if (name === 'write') add('bytesWritten', Number(result))
      return result
    },
  ])
  const take = () => {
    const taken = costs
    costs = {}
    return taken
  }
  return { system: Object.fromEntries(counted) as FileSystem, take }
}
