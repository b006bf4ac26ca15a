/**
 * SystemId: the 64-bit number `initdb` draws for a cluster, which every control file and every WAL
 * segment carries. Written in decimal, as `IDENTIFY_SYSTEM` answers; it does not fit a number.
 */
import { ensure } from '../base/failure.ts';
import { type FieldType } from '../base/struct.ts';

declare const brand: unique symbol;
/** An unsigned 64-bit integer in decimal, without leading zeros. */
export type SystemId = string & { readonly [brand]: 'SystemId' };

const systemIdMax = 2n ** 64n - 1n;

/** Fails with `system_id_unreadable` unless the text is a decimal unsigned 64-bit integer. */
export function parseSystemId(text: string): SystemId {
  const digits = /^(0|[1-9][0-9]{0,19})$/.test(text);
  ensure(digits && BigInt(text) <= systemIdMax, 'system_id_unreadable', { text });
  return text as SystemId;
}

/** A system identifier in a struct. */
export const systemIdField: FieldType<SystemId> = {
  size: 8,
  read: (view, at) => view.getBigUint64(at, true).toString() as SystemId,
  write: (view, at, value) => {
    view.setBigUint64(at, BigInt(value), true);
  },
};
