import type { SqliteConnection, SqliteDriver, SqliteStatement, SqliteValue } from '../src/index.ts'

/** What went through a driver: statements, and the bytes of their values. */
export interface Observation {
  operations: number
  bytesRead: number
  bytesWritten: number
  transactions?: number
}

/** How the next commit ends: it took effect and its answer is lost, or the flush after it failed. */
export type CommitFault = 'lost' | 'not flushed'

const IOERR = 10
const IOERR_FSYNC = 1034

class Fault extends Error {
  readonly resultCode: number

  constructor(resultCode: number) {
    super('disk I/O error')
    this.resultCode = resultCode
  }
}

/** A driver that counts what goes through it, and spoils one commit. Opening and closing are not counted. */
export function observed(driver: SqliteDriver, seen: Observation, fault?: CommitFault): SqliteDriver {
  let left = fault
  const observeStatement = (text: string, statement: SqliteStatement): SqliteStatement => {
    const count = (values: readonly SqliteValue[]) => {
      seen.operations++
      if (text.startsWith('BEGIN')) seen.transactions = (seen.transactions ?? 0) + 1
      seen.bytesWritten += sizeOf(values)
    }
    const read = <Row>(row: Row): Row => {
      if (typeof row === 'object' && row !== null) seen.bytesRead += sizeOf(Object.values(row))
      return row
    }
    return {
      run(...values) {
        count(values)
        const result = statement.run(...values)
        if (text === 'COMMIT' && left !== undefined) {
          const code = left === 'lost' ? IOERR : IOERR_FSYNC
          left = undefined
          throw new Fault(code)
        }
        return result
      },
      get(...values) {
        count(values)
        return read(statement.get(...values))
      },
      *iterate(...values) {
        count(values)
        for (const row of statement.iterate(...values)) yield read(row)
      },
    }
  }
  const observe = (connection: SqliteConnection): SqliteConnection => {
    let isOpen = false
    return {
      exec: (sql) => connection.exec(sql),
      prepare: (sql) => {
        // The statements of opening are the only ones that are not kept.
        isOpen ||= /^(BEGIN|PRAGMA wal_checkpoint)/.test(sql)
        return isOpen ? observeStatement(sql, connection.prepare(sql)) : connection.prepare(sql)
      },
      close: () => connection.close(),
    }
  }
  return {
    open: async (file, options) => observe(await driver.open(file, options)),
    async openImmutable(file) {
      const connection = await driver.openImmutable?.(file)
      return connection && observe(connection)
    },
    resultCode: (error) => (error instanceof Fault ? error.resultCode : driver.resultCode(error)),
  }
}

function sizeOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => {
    if (typeof value === 'string') return sum + Buffer.byteLength(value)
    return sum + (value instanceof Uint8Array ? value.length : 8)
  }, 0)
}
