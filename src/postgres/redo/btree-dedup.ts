/**
 * Posting lists: a key once, with the heap TIDs of all its duplicates
 * (src/backend/access/nbtree/nbtdedup.c). Splitting one, shrinking one, and merging tuples to some.
 *
 * The C functions build tuples aside and copy them; here they are changed where they stand, and come
 * out the same.
 */
import { ensure } from '../../base/failure.ts';
import { struct, u16 } from '../../base/struct.ts';
import { PageHeader, pageSize } from '../page.ts';
import {
  ensureSlot,
  indexTupleOverwrite,
  itemLength,
  itemOffset,
  slotCount,
} from '../page-items.ts';
import { type BlockRecord } from '../page-value.ts';
import {
  BtreeOpaque,
  appendItem,
  appendSlot,
  btreeFlags,
  ensureBtreePage,
  firstDataSlot,
  formPosting,
  highKeySlot,
  initBtreePage,
  isPosting,
  isRightmost,
  opaqueAt,
  postingCount,
  postingOffset,
  postingSize,
  tupleSizeMax,
} from './btree-page.ts';
import { tidSize, tupleSize } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';

/** `xl_btree_dedup`; the intervals are the block's data. */
export const BtreeDedup = struct({ intervalCount: u16 }, { size: 2 });
/** `BTDedupInterval`: `itemCount` tuples from slot `baseSlot` on become one. */
export const Interval = struct({ baseSlot: u16, itemCount: u16 }, { size: 4 });
/** `xl_btree_update`; as many u16 indexes into the posting list follow. */
const Update = struct({ deletedCount: u16 }, { size: 2 });
const indexSize = 2;

const scratch = new DataView(new ArrayBuffer(pageSize));
const scratchBytes = new Uint8Array(scratch.buffer);
const tuple = new DataView(new ArrayBuffer(pageSize));
const tupleBytes = new Uint8Array(tuple.buffer);
const maxTid = new DataView(new ArrayBuffer(tidSize));

/**
 * An empty page with the special space of `page`, in scratch memory that the next call reuses:
 * `PageGetTempPageCopySpecial`.
 */
export function beginRewrite(page: DataView): DataView {
  initBtreePage(scratch);
  copyBytes(scratch, opaqueAt, page, opaqueAt, BtreeOpaque.size);
  return scratch;
}

/** `PageRestoreTempPage`: the page becomes the rewritten one. */
export function endRewrite(page: DataView): void {
  new Uint8Array(page.buffer, page.byteOffset, pageSize).set(scratchBytes);
}

/**
 * `_bt_swap_posting`: the TID of the plain tuple at `newAt` goes into the posting list at `at` as
 * number `index`; the list's last TID, which that pushes out, becomes the tuple's.
 */
// eslint-disable-next-line max-params -- two tuples and an index
export function swapPosting(
  page: DataView,
  at: number,
  index: number,
  newTuple: DataView,
  newAt: number,
): void {
  ensure(isPosting(page, at), 'redo_page_unexpected', { at });
  const count = postingCount(page, at);
  ensure(index > 0 && index < count, 'redo_page_unexpected', { index, count });
  const list = at + postingOffset(page, at);
  const last = list + (count - 1) * tidSize;
  const gap = list + index * tidSize;
  copyBytes(maxTid, 0, page, last, tidSize);
  new Uint8Array(page.buffer, page.byteOffset, pageSize).copyWithin(gap + tidSize, gap, last);
  copyBytes(page, gap, newTuple, newAt, tidSize);
  copyBytes(newTuple, newAt, maxTid, 0, tidSize);
}

/** `btree_xlog_updates`: `count` slots are listed at `slots`, and what each loses at `updates`. */
export function updatePostings(
  page: DataView,
  record: BlockRecord,
  slots: number,
  count: number,
): void {
  const { view } = record;
  let update = slots + count * indexSize;
  for (let done = 0; done < count; done += 1) {
    const slot = view.getUint16(slots + done * indexSize, true);
    const deleted = Update.deletedCount.get(view, update);
    const end = update + Update.size + deleted * indexSize;
    ensure(end <= record.data + record.dataSize, 'redo_record_malformed', { slot, deleted });
    updatePosting(page, slot, view, update);
    update = end;
  }
}

/** `_bt_update_posting`, then `PageIndexTupleOverwrite`. */
function updatePosting(page: DataView, slot: number, view: DataView, update: number): void {
  ensureSlot(page, slot);
  const at = itemOffset(page, slot);
  ensure(isPosting(page, at), 'redo_page_unexpected', { slot });
  const deleted = Update.deletedCount.get(view, update);
  const count = postingCount(page, at);
  const left = count - deleted;
  ensure(left > 0 && left < count, 'redo_page_unexpected', { slot, count, deleted });

  const keySize = postingOffset(page, at);
  const size = postingSize(keySize, left);
  tupleBytes.fill(0, 0, size);
  copyBytes(tuple, 0, page, at, keySize);
  formPosting(tuple, 0, keySize, left);
  copyKept(page, at, view, update);
  indexTupleOverwrite(page, slot, tupleBytes.subarray(0, size));
}

/** Copies the TIDs an update does not delete to the tuple being made: its list, or its own TID. */
function copyKept(page: DataView, at: number, view: DataView, update: number): void {
  const list = postingOffset(page, at);
  const count = postingCount(page, at);
  const deletedCount = Update.deletedCount.get(view, update);
  let target = deletedCount + 1 < count ? list : 0;
  let deleted = 0;
  for (let index = 0; index < count; index += 1) {
    const next = update + Update.size + deleted * indexSize;
    if (deleted < deletedCount && view.getUint16(next, true) === index) {
      deleted += 1;
      continue;
    }
    copyBytes(tuple, target, page, at + list + index * tidSize, tidSize);
    target += tidSize;
  }
  ensure(deleted === deletedCount, 'redo_record_malformed', { deleted, deletedCount });
}

/** `btree_xlog_dedup`: rewrites the page with each interval's tuples merged. */
export function redoDedup(page: DataView, record: BlockRecord): void {
  ensureBtreePage(page);
  const intervals = BtreeDedup.intervalCount.get(record.view, record.main);
  const fits = intervals * Interval.size <= record.dataSize;
  ensure(fits, 'redo_record_malformed', { intervals, dataSize: record.dataSize });
  const target = beginRewrite(page);
  if (!isRightmost(page)) copySlot(page, highKeySlot, target);

  let slot = firstDataSlot(page);
  const last = slotCount(page);
  for (let done = 0; done < intervals; done += 1) {
    const interval = record.data + done * Interval.size;
    const base = Interval.baseSlot.get(record.view, interval);
    const items = Interval.itemCount.get(record.view, interval);
    ensure(base >= slot && base + items <= last + 1, 'redo_page_unexpected', { base, items, last });
    for (; slot < base; slot += 1) copyTuple(page, slot, target);
    mergeSlots(page, base, items, target);
    slot += items;
  }
  for (; slot <= last; slot += 1) copyTuple(page, slot, target);

  const flags = BtreeOpaque.flags.get(target, opaqueAt);
  BtreeOpaque.flags.set(target, opaqueAt, flags & ~btreeFlags.hasGarbage);
  endRewrite(page);
  PageHeader.lsn.set(page, 0, record.end);
}

/** Appends a slot's item as it is. */
export function copySlot(page: DataView, slot: number, target: DataView): void {
  ensureSlot(page, slot);
  appendItem(target, page, itemOffset(page, slot), itemLength(page, slot));
}

/** `_bt_dedup_finish_pending` for a tuple that stays alone: its own size, not its slot's. */
function copyTuple(page: DataView, slot: number, target: DataView): void {
  const at = itemOffset(page, slot);
  appendItem(target, page, at, tupleSize(page, at));
}

/** Appends one posting list tuple with the TIDs of `count` slots, under the first one's key. */
function mergeSlots(page: DataView, first: number, count: number, target: DataView): void {
  ensure(count > 0, 'redo_record_malformed', { first, count });
  const base = itemOffset(page, first);
  const keySize = isPosting(page, base) ? postingOffset(page, base) : tupleSize(page, base);
  let tids = 0;
  for (let slot = first; slot < first + count; slot += 1) tids += tidCount(page, slot);
  const size = postingSize(keySize, tids);
  ensure(size <= tupleSizeMax, 'redo_page_unexpected', { first, size });

  const at = appendSlot(target, size);
  copyBytes(target, at, page, base, keySize);
  formPosting(target, at, keySize, tids);
  let list = at + keySize;
  for (let slot = first; slot < first + count; slot += 1) list = copyTids(page, slot, target, list);
}

function tidCount(page: DataView, slot: number): number {
  const at = itemOffset(page, slot);
  return isPosting(page, at) ? postingCount(page, at) : 1;
}

/** Copies a slot's TIDs to `list` in `target`; returns where the next go. */
function copyTids(page: DataView, slot: number, target: DataView, list: number): number {
  const at = itemOffset(page, slot);
  const size = tidCount(page, slot) * tidSize;
  copyBytes(target, list, page, isPosting(page, at) ? at + postingOffset(page, at) : at, size);
  return list + size;
}
