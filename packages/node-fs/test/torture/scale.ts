/** Whether to torture for minutes instead of seconds: `SESSIONTREE_TORTURE=full`. */
export const isFull: boolean = process.env['SESSIONTREE_TORTURE'] === 'full'

/** The first number in an ordinary run, the second in a full one. */
export const scaled = (ordinary: number, full: number): number => (isFull ? full : ordinary)
