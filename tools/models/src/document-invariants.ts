/** What every model of a document keeps count of. */
interface Acknowledging {
  /** Told the caller: this value is version `at`. */
  readonly acknowledged: Readonly<Record<string, number>>
}

/** The value that is current, and its version. */
interface Current {
  readonly at: number
  readonly value?: string
}

/** What holds of a document however it is stored; `current` says what whoever asks now is given. */
export function documentInvariants<State extends Acknowledging>(
  current: (state: State) => Current | undefined,
): Record<string, (state: State) => string | undefined> {
  return {
    'no acknowledged value is lost': (state) => {
      const found = current(state)
      return Object.entries(state.acknowledged)
        .filter(([value, at]) => !found || at > found.at || (at === found.at && value !== found.value))
        .map(
          ([value, at]) =>
            `${value} was acknowledged as version ${at}; ${found?.value}, version ${found?.at}, is current`,
        )[0]
    },
    'a version names one value': ({ acknowledged }) => {
      const versions = Object.values(acknowledged)
      const twice = versions.find((at, i) => versions.indexOf(at) !== i)
      return twice === undefined ? undefined : `version ${twice} was acknowledged twice`
    },
  }
}
