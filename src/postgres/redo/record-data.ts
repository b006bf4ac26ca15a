/**
 * What redo asks of a record before it reads it, and the slots that records list.
 */
import { Failure } from '../../base/failure.ts';
import { type BlockRecord } from '../page-value.ts';

/** Size in bytes of an `OffsetNumber`. */
export const slotSize = 2;

/** Fails for a block this kind of record cannot have: its number is above `last`. */
export function ensureBlock(record: BlockRecord, last: number): void {
  const { blockId, info } = record;
  if (blockId > last) throw new Failure('redo_record_malformed', { blockId, last, info });
}

/** Fails unless the record's main data has at least `size` bytes. */
export function ensureMain(record: BlockRecord, size: number): void {
  const { mainSize, info } = record;
  if (mainSize < size) throw new Failure('redo_record_malformed', { mainSize, size, info });
}

/** Fails unless the block's data has at least `size` bytes. */
export function ensureData(record: BlockRecord, size: number): void {
  const { dataSize, info } = record;
  if (dataSize < size) throw new Failure('redo_record_malformed', { dataSize, size, info });
}

/** The `count` slots listed at `at`. */
export function readSlots(view: DataView, at: number, count: number): number[] {
  const slots: number[] = [];
  for (let index = 0; index < count; index += 1)
    slots.push(view.getUint16(at + index * slotSize, true));
  return slots;
}
