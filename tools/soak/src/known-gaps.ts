/** Something that runs find and that is not mended yet. Take it out with the mistake: from then on a run that says it fails. */
interface KnownGap {
  readonly reason: string
  readonly says: RegExp
}

const GAPS: readonly KnownGap[] = [
  {
    reason: 'node-fs: blocks of NULs that a power loss leaves in an unfinished batch count as damage',
    says: /\.jsonl, line \d+, byte \d+ is damaged|^verify of \w+: Records from \d+ on cannot be read\.$|sweep( fails)?: CORRUPT at session/,
  },
  {
    reason: 'core: a call that joins a look under way is taken for one that was made before it',
    says: /INVALID_PARENT|There is no entry/,
  },
]

/** The reason why a run is expected to say this; undefined if it is not. */
export function knownGap(violation: string): string | undefined {
  return GAPS.find(({ says }) => says.test(violation))?.reason
}
