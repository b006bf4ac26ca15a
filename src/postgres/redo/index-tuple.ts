/**
 * IndexTuple: the tuples of B-tree, hash, GiST and GIN entry pages (src/include/access/itup.h).
 *
 * Tuples are addressed as (view, offset), so the same functions serve a page and a record.
 */
import { Failure } from '../../base/failure.ts';
import { struct, u16 } from '../../base/struct.ts';
import { maxAlign } from '../page-items.ts';
import { type BlockRecord } from '../page-value.ts';

/** `IndexTupleData`: a heap TID, or what stands in for one, and flags with the tuple's size. */
export const IndexTuple = struct(
  { blockHigh: u16, blockLow: u16, position: u16, info: u16 },
  { size: 8 },
);

/** Size in bytes of an `ItemPointerData`: block (2 × 16 bits) and position. */
export const tidSize = 6;
/** `INDEX_SIZE_MASK`. */
export const tupleSizeMask = 0x1fff;

/** `IndexTupleSize`, in bytes. */
export function tupleSize(view: DataView, at: number): number {
  return IndexTuple.info.get(view, at) & tupleSizeMask;
}

/** The block the TID names: for a pivot tuple, the child it leads to. */
export function downLink(view: DataView, at: number): number {
  return IndexTuple.blockHigh.get(view, at) * 0x1_0000 + IndexTuple.blockLow.get(view, at);
}

export function setDownLink(view: DataView, at: number, block: number): void {
  IndexTuple.blockHigh.set(view, at, block >>> 16);
  IndexTuple.blockLow.set(view, at, block & 0xffff);
}

/** Size in bytes of the tuple at `at` in the block's data, which must hold all of it. */
export function loggedTupleSize(record: BlockRecord, at: number): number {
  const end = record.data + record.dataSize;
  const size = at + IndexTuple.size <= end ? tupleSize(record.view, at) : 0;
  // As an `if`: the values of a failure are built only when it happens.
  if (size < IndexTuple.size || at + size > end)
    throw new Failure('redo_record_malformed', { tupleAt: at - record.data, size });
  return size;
}

/** The same with the padding to 8 bytes behind it. */
export function loggedTupleSpace(record: BlockRecord, at: number): number {
  const space = maxAlign(loggedTupleSize(record, at));
  if (at + space > record.data + record.dataSize)
    throw new Failure('redo_record_malformed', { tupleAt: at - record.data, space });
  return space;
}
