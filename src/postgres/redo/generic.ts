/**
 * Redo of the generic resource manager (src/backend/access/transam/generic_xlog.c): the records of
 * index types that live in extensions, such as bloom. A block's data is a list of changed ranges.
 */
import { ensure } from '../../base/failure.ts';
import { struct, u16 } from '../../base/struct.ts';
import { PageHeader, pageSize } from '../page.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';

export const genericRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoGeneric, // the manager has this one record
};

/** What precedes each range's bytes: where they go on the page and how many there are. */
const Fragment = struct({ offset: u16, length: u16 }, { size: 4 });

/** `generic_redo`: called for each of the record's blocks with that block's ranges. */
function redoGeneric(page: DataView, record: BlockRecord): void {
  applyFragments(page, record);
  clearHole(page);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `applyPageRedo`. */
function applyFragments(page: DataView, record: BlockRecord): void {
  const target = new Uint8Array(page.buffer, page.byteOffset, pageSize);
  const source = new Uint8Array(record.view.buffer, record.view.byteOffset);
  const end = record.data + record.dataSize;
  let at = record.data;
  while (at < end) {
    ensure(at + Fragment.size <= end, 'redo_record_malformed', { fragmentAt: at, end });
    const offset = Fragment.offset.get(record.view, at);
    const length = Fragment.length.get(record.view, at);
    at += Fragment.size;
    ensure(at + length <= end, 'redo_record_malformed', { fragmentAt: at, length, end });
    ensure(offset + length <= pageSize, 'redo_record_malformed', { offset, length });
    target.set(source.subarray(at, at + length), offset);
    at += length;
  }
}

/** The hole is never logged: Postgres zeroes it on both sides. */
function clearHole(page: DataView): void {
  const lower = PageHeader.lower.get(page, 0);
  const upper = PageHeader.upper.get(page, 0);
  ensure(lower <= upper && upper <= pageSize, 'redo_page_unexpected', { lower, upper });
  new Uint8Array(page.buffer, page.byteOffset, pageSize).fill(0, lower, upper);
}
