/**
 * What redo reads of a record's main data and block data, in more than one manager.
 */
import { Failure } from '../../base/failure.ts';
import { type BlockRecord } from '../page-value.ts';

/** Size in bytes of an `OffsetNumber`. */
export const slotSize = 2;

/** Fails unless the record's main data has at least `size` bytes. */
export function ensureMain(record: BlockRecord, size: number): void {
  const { mainSize, info } = record;
  if (mainSize < size) throw new Failure('redo_record_malformed', { mainSize, size, info });
}

/** The `count` slots listed at `at`. */
export function readSlots(view: DataView, at: number, count: number): number[] {
  const slots: number[] = [];
  for (let index = 0; index < count; index += 1)
    slots.push(view.getUint16(at + index * slotSize, true));
  return slots;
}
