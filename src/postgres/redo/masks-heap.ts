/**
 * Masks of heap pages and of the two maps beside a heap: `heap_mask` in
 * src/backend/access/heap/heapam.c up to major 17, heapam_xlog.c from 18 on.
 */
import { PageHeader } from '../page.ts';
import { itemIsNormal, itemLength, itemOffset, maxAlign, slotCount } from '../page-items.ts';
import { fillBytes } from './page-bytes.ts';
import { HeapTuple, clearInfomask, infomask, setCtid, specialSlots } from './heap-tuple.ts';
import { type Mask, maskLsnAndChecksum, maskPageHints, maskUnusedSpace } from './masks.ts';

/** `MASK_MARKER`. */
const marker = 0;

/** `heap_mask`. */
export function maskHeap(page: DataView, block: number): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  maskUnusedSpace(page);
  const slots = slotCount(page);
  for (let slot = 1; slot <= slots; slot += 1) {
    if (itemIsNormal(page, slot)) maskTuple(page, itemOffset(page, slot), block, slot);
    if (itemLength(page, slot) > 0) maskPadding(page, slot);
  }
}

/**
 * A map's page but for what no record carries. Postgres uses `heap_mask` here, which takes the whole
 * map for unused space and hides every bit of it.
 */
export const maskVisibilityMap: Mask = maskLsnAndChecksum;

/** Nothing of the free-space map is logged, so nothing of it can be compared. */
export function maskFreeSpaceMap(page: DataView): void {
  fillBytes(page, PageHeader.lsn.offset, page.byteLength, marker);
}

function maskTuple(page: DataView, tuple: number, block: number, slot: number): void {
  const mask = HeapTuple.infomask.get(page, tuple);
  const frozen = (mask & infomask.xminFrozen) === infomask.xminFrozen;
  // Hint bits are set without a record; of a frozen tuple only those of xmax are hints.
  const hints = frozen ? infomask.xmaxInvalid | infomask.xmaxCommitted : infomask.visibility;
  clearInfomask(page, tuple, hints);
  HeapTuple.commandId.set(page, tuple, marker);
  // A speculative insertion's token is not logged: redo writes the tuple's own place instead.
  const speculative = HeapTuple.ctidSlot.get(page, tuple) === specialSlots.speculativeToken;
  if (speculative) setCtid(page, tuple, block, slot);
}

/** The bytes between a tuple's end and its alignment are whatever was there before. */
function maskPadding(page: DataView, slot: number): void {
  const end = itemOffset(page, slot) + itemLength(page, slot);
  fillBytes(page, end, maxAlign(end), marker);
}
