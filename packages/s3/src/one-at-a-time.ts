/** Runs what is given for one name one after the other, in the order of the calls. */
export class OneAtATime {
  readonly #last = new Map<string, Promise<unknown>>()

  run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const result = before.then(work, work)
    this.#last.set(name, result)
    const settled = () => {
      if (this.#last.get(name) === result) this.#last.delete(name)
    }
    result.then(settled, settled)
    return result
  }
}
