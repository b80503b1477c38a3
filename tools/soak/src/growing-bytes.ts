/** Bytes that are written at any offset; NULs fill what was skipped. Appending costs what is appended, not what is there. */
export class GrowingBytes {
  #buffer: Buffer
  #length: number

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#buffer = Buffer.from(bytes)
    this.#length = bytes.length
  }

  get length(): number {
    return this.#length
  }

  /** The bytes themselves: what is written later shows in them. */
  get view(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  write(at: number, bytes: Buffer): void {
    const end = at + bytes.length
    if (end > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#buffer.length))
      this.view.copy(larger)
      this.#buffer = larger
    }
    bytes.copy(this.#buffer, at)
    this.#length = Math.max(this.#length, end)
  }

  /** A stretch of them, NULs behind the end. */
  stretch(from: number, to: number): Buffer {
    const part = Buffer.alloc(to - from)
    if (from < this.#length) this.view.copy(part, 0, from, Math.min(to, this.#length))
    return part
  }
}
