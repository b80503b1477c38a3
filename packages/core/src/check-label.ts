/** The longest label, in UTF-16 code units. */
export const MAX_LABEL_LENGTH: number = 256

/** Throws a `TypeError` for what is no label: 1–256 characters of well-formed Unicode that are not all white space. */
export function checkLabel(label: unknown, name = 'label'): void {
  if (typeof label === 'string' && label.trim() !== '' && label.length <= MAX_LABEL_LENGTH && label.isWellFormed())
    return
  throw new TypeError(`${name}: expected 1-${MAX_LABEL_LENGTH} characters of well-formed Unicode`)
}
