import type { Random } from '@sessiontree/core'

/** 128 random bits in hex: equal contents by different writers must differ. */
export function randomId(random: Random): string {
  return [...random.bytes(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
