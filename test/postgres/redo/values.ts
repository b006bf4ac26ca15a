/**
 * Builders of page values for redo tests: a record, from the side of one block, as ingest stores it.
 */
import { type Lsn, lsn } from '../../../src/base/lsn.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { RecordValue, recordFlags, valueTags } from '../../../src/postgres/page-value.ts';
import { type PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';

export interface RecordParts {
  readonly rmgr?: number;
  readonly info?: number;
  readonly xid?: number;
  readonly blockId?: number;
  /** Block numbers of the record's blocks 0, 1, …; null for one it does not use. */
  readonly blocks?: readonly (number | null)[];
  readonly willInit?: boolean;
  readonly data?: readonly number[];
  readonly main?: readonly number[];
}

const noBlock = 0xffff_ffff;

/** A `record` value. Heap, op code 0, block 0 of relation block 7 unless told otherwise. */
export function recordValue(parts: RecordParts): Uint8Array {
  const { rmgr = 10, info = 0, xid = 700, blockId = 0, blocks = [7], willInit = false } = parts;
  const { data = [], main = [] } = parts;
  const value = new Uint8Array(RecordValue.size + blocks.length * 4 + data.length + main.length);
  const view = new DataView(value.buffer);
  RecordValue.tag.set(view, 0, valueTags.record);
  RecordValue.rmgr.set(view, 0, rmgr);
  RecordValue.info.set(view, 0, info);
  RecordValue.blockId.set(view, 0, blockId);
  RecordValue.xid.set(view, 0, xid);
  RecordValue.blockCount.set(view, 0, blocks.length);
  RecordValue.flags.set(view, 0, willInit ? recordFlags.willInit : 0);
  RecordValue.dataSize.set(view, 0, data.length);
  RecordValue.mainSize.set(view, 0, main.length);
  blocks.forEach((block, index) => {
    view.setUint32(RecordValue.size + index * 4, block ?? noBlock, true);
  });
  value.set(data, RecordValue.size + blocks.length * 4);
  value.set(main, RecordValue.size + blocks.length * 4 + data.length);
  return value;
}

/** Little-endian bytes of 16-bit integers. */
export function u16s(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 255, (value >>> 8) & 255]);
}

/** Little-endian bytes of 32-bit integers. */
export function u32s(...values: readonly number[]): number[] {
  return values.flatMap((value) => u16s(value & 0xffff, value >>> 16));
}

/** A page of zeros and a view of it. */
export function zeroPage(): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(pageSize);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Applies `value` to `page`, as of a record that ends at `end`. */
export function applyTo(
  rebuilder: PageRebuilder,
  page: Uint8Array,
  value: Uint8Array,
  end: number | Lsn,
): void {
  rebuilder.resume(page);
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  rebuilder.apply(view, 0, value.length, lsn(end));
}
