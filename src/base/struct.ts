/**
 * Struct: a byte layout declared once. Offsets are derived, padding is named, the size is asserted
 * at import. Fields are accessors over a `DataView`, so a hot path allocates nothing.
 *
 * All integers are little-endian: the byte order of every platform Stemma runs Postgres on.
 * 64-bit integers come back as numbers and must fit 2^53, which LSNs, xids and sizes do.
 */
import { assert } from './assert.ts';
import { type Lsn } from './lsn.ts';

/** How one kind of field is read and written at an absolute offset. */
export interface FieldType<T> {
  readonly size: number;
  readonly read: (view: DataView, at: number) => T;
  readonly write: (view: DataView, at: number, value: T) => void;
}

/** A field of a struct: `get(view, base)` reads it from the struct that begins at `base`. */
export interface Field<T> {
  readonly offset: number;
  readonly size: number;
  readonly get: (view: DataView, base: number) => T;
  readonly set: (view: DataView, base: number, value: T) => void;
}

// A field type is both read and written, so no narrower bound holds for every one.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type AnyField = FieldType<any>;

export type Struct<Fields extends Record<string, AnyField>> = {
  readonly [Name in keyof Fields]: Fields[Name] extends FieldType<infer T> ? Field<T> : never;
} & { readonly size: number };

const twoPow32 = 2 ** 32;

export const u8: FieldType<number> = {
  size: 1,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => {
    view.setUint8(at, value);
  },
};
export const u16: FieldType<number> = {
  size: 2,
  read: (view, at) => view.getUint16(at, true),
  write: (view, at, value) => {
    view.setUint16(at, value, true);
  },
};
export const u32: FieldType<number> = {
  size: 4,
  read: (view, at) => view.getUint32(at, true),
  write: (view, at, value) => {
    view.setUint32(at, value, true);
  },
};
export const i32: FieldType<number> = {
  size: 4,
  read: (view, at) => view.getInt32(at, true),
  write: (view, at, value) => {
    view.setInt32(at, value, true);
  },
};
export const u64: FieldType<number> = { size: 8, read: readU64, write: writeU64 };
/** A signed 64-bit integer, such as a Postgres timestamp in microseconds since 2000-01-01. */
export const i64: FieldType<number> = {
  size: 8,
  read: (view, at) => view.getInt32(at + 4, true) * twoPow32 + view.getUint32(at, true),
  write: (view, at, value) => {
    view.setUint32(at, value >>> 0, true);
    view.setInt32(at + 4, Math.floor(value / twoPow32), true);
  },
};
/** A C `double`. */
export const f64: FieldType<number> = {
  size: 8,
  read: (view, at) => view.getFloat64(at, true),
  write: (view, at, value) => {
    view.setFloat64(at, value, true);
  },
};
/** `XLogRecPtr`: one 64-bit integer. */
export const lsnField: FieldType<Lsn> = {
  size: 8,
  read: (view, at) => readU64(view, at) as Lsn,
  write: writeU64,
};
/** `PageXLogRecPtr`: two 32-bit integers, the high one first (src/include/storage/bufpage.h). */
export const pageLsn: FieldType<Lsn> = {
  size: 8,
  read: (view, at) => (view.getUint32(at, true) * twoPow32 + view.getUint32(at + 4, true)) as Lsn,
  write: (view, at, value) => {
    view.setUint32(at, Math.floor(value / twoPow32), true);
    view.setUint32(at + 4, value >>> 0, true);
  },
};

/** `count` raw bytes, read as a view of the same memory. */
export function bytes(count: number): FieldType<Uint8Array> {
  return {
    size: count,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, count),
    write: (view, at, value) => {
      assert(value.length === count, 'a byte field is written whole');
      new Uint8Array(view.buffer, view.byteOffset + at, count).set(value);
    },
  };
}

/** Named padding: it has a size and no meaning. */
export function padding(count: number): FieldType<Uint8Array> {
  return bytes(count);
}

/** Declares a layout: fields in order, and the size they must add up to, in bytes. */
export function struct<const Fields extends Record<string, AnyField>>(
  fields: Fields,
  expected: { readonly size: number },
): Struct<Fields> {
  const declared: Record<string, Field<unknown>> = {};
  assert(!('size' in fields), 'a struct has a size: a field needs another name');
  let offset = 0;
  for (const [name, type] of Object.entries(fields)) {
    declared[name] = field(type, offset);
    offset += type.size;
  }
  assert(offset === expected.size, `struct size is ${offset}, declared ${expected.size}`);
  return { ...declared, size: offset } as unknown as Struct<Fields>;
}

function field<T>(type: FieldType<T>, offset: number): Field<T> {
  const { read, write, size } = type;
  return {
    offset,
    size,
    get: (view, base) => read(view, base + offset),
    set: (view, base, value) => {
      write(view, base + offset, value);
    },
  };
}

function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * twoPow32 + view.getUint32(at, true);
}

function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / twoPow32), true);
}
