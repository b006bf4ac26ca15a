/**
 * Lsn: a byte position in WAL, as a number. Exact to 2^53 bytes (8 PiB), asserted at birth.
 *
 * Written as Postgres writes it: `16/B374D848`, the high and low 32 bits in hex (`%X/%X`).
 */
import { assert } from './assert.ts';
import { ensure } from './failure.ts';

declare const brand: unique symbol;
export type Lsn = number & { readonly [brand]: 'Lsn' };

const twoPow32 = 2 ** 32;

export function lsn(position: number): Lsn {
  assert(Number.isSafeInteger(position) && position >= 0, 'an LSN is a whole number below 2^53');
  return position as Lsn;
}

/** No position: what Postgres calls InvalidXLogRecPtr. */
export const lsnZero = lsn(0);

export function formatLsn(position: Lsn): string {
  const high = Math.floor(position / twoPow32).toString(16);
  const low = (position % twoPow32).toString(16);
  return `${high}/${low}`.toUpperCase();
}

/** Fails with `lsn_unreadable` unless the text is `X/X`. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9a-f]{1,6})\/([0-9a-f]{1,8})$/i.exec(text);
  ensure(match !== null, 'lsn_unreadable', { text });
  return lsn(parseInt(match[1]!, 16) * twoPow32 + parseInt(match[2]!, 16));
}

export function minLsn(a: Lsn, b: Lsn): Lsn {
  return a < b ? a : b;
}

export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}
