/**
 * Redo of hash indexes (src/backend/access/hash/hash_xlog.c).
 *
 * Some records name the primary page of a bucket only so that a standby locks it: such a block stays as
 * it is and is not stamped. What Postgres changes on a page although the record brought its image is
 * in that image already, because the page was changed before it was logged.
 */
import { Failure } from '../../base/failure.ts';
import { f64, i32, padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import { indexMultiDelete, placement, reserveItem } from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import {
  HashMeta,
  HashOpaque,
  addBitmap,
  addSpare,
  ensureHashPage,
  hashFlags,
  hashMetaAt,
  initHashBitmap,
  initHashMeta,
  initHashPage,
  none,
  opaqueAt,
  setBitmapBit,
  setSpares,
} from './hash-page.ts';
import { IndexTuple, loggedTupleSpace } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';
import { ensureBlock, ensureData, ensureMain, readSlots } from './record-data.ts';

/** Op codes of the `hash` resource manager. */
export const hashRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoInitMetaPage,
  0x10: redoInitBitmapPage,
  0x20: redoInsert,
  0x30: redoAddOverflowPage,
  0x40: redoSplitAllocatePage,
  0x50: redoSplitPage,
  0x60: redoSplitComplete,
  0x70: redoMovePageContents,
  0x80: redoSqueezePage,
  0x90: redoDelete,
  0xa0: redoSplitCleanup,
  0xb0: redoUpdateMetaPage,
  0xc0: redoVacuumOnePage,
};

/** `xl_hash_init_meta_page`. */
export const HashInitMeta = struct(
  { tupleCount: f64, procedure: u32, fillFactor: u16 },
  { size: 14 },
);
/** `xl_hash_init_bitmap_page`. */
export const HashInitBitmap = struct({ bitmapSize: u16 }, { size: 2 });
/** `xl_hash_insert`. */
export const HashInsert = struct({ slot: u16 }, { size: 2 });
/** `xl_hash_add_ovfl_page`. */
export const HashAddOverflow = struct({ bitmapSize: u16, bitmapFound: u8 }, { size: 3 });
/** `xl_hash_split_allocate_page`. */
export const HashSplitAllocate = struct(
  { newBucket: u32, oldFlags: u16, newFlags: u16, flags: u8 },
  { size: 9 },
);
/** `XLH_SPLIT_META_UPDATE_*`: what the metapage's data of a split's first record has. */
const splitFlags = { masks: 0x01, splitpoint: 0x02 } as const;
const SplitMasks = struct({ low: u32, high: u32 }, { size: 8 });
const SplitPoint = struct({ splitpoint: u32, spares: u32 }, { size: 8 });
/** `xl_hash_split_complete`. */
export const HashSplitComplete = struct({ oldFlags: u16, newFlags: u16 }, { size: 4 });
/** `xl_hash_move_page_contents`. */
export const HashMove = struct({ tupleCount: u16, targetIsPrimary: u8 }, { size: 3 });
/** `xl_hash_squeeze_page`. */
export const HashSqueeze = struct(
  { previous: u32, next: u32, tupleCount: u16, targetIsPrimary: u8, targetIsPrevious: u8 },
  { size: 12 },
);
/** `xl_hash_delete`. */
export const HashDelete = struct({ clearDeadMarking: u8, isPrimary: u8 }, { size: 2 });
/** `xl_hash_update_meta_page`. */
export const HashUpdateMeta = struct({ tupleCount: f64 }, { size: 8 });
/** `xl_hash_vacuum_one_page` in 15; deleted slots follow it. */
export const HashVacuum15 = struct({ horizon: u32, tupleCount: i32 }, { size: 8 });
/** `xl_hash_vacuum_one_page` from 16 on; deleted slots follow it. */
export const HashVacuum = struct(
  { horizon: u32, tupleCount: u16, isCatalog: u8, padding: padding(1) },
  { size: 8 },
);

/** How many tuples a `xl_hash_vacuum_one_page` deletes. */
const vacuumedCount: Readonly<Partial<Record<number, (view: DataView, at: number) => number>>> = {
  15: HashVacuum15.tupleCount.get,
  16: HashVacuum.tupleCount.get,
  17: HashVacuum.tupleCount.get,
  18: HashVacuum.tupleCount.get,
};
/** Majors that stamp the page tuples are squeezed into even if it gets none and nothing changes. */
const squeezeAlwaysStamps: Readonly<Partial<Record<number, boolean>>> = { 15: true, 16: true };

/** `hash_xlog_init_meta_page`. */
function redoInitMetaPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, HashInitMeta.size);
  const { view, main } = record;
  const tupleCount = HashInitMeta.tupleCount.get(view, main);
  const procedure = HashInitMeta.procedure.get(view, main);
  initHashMeta(page, tupleCount, procedure, HashInitMeta.fillFactor.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `hash_xlog_init_bitmap_page`. Blocks: 0 the bitmap, 1 the metapage. */
function redoInitBitmapPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, HashInitBitmap.size);
  if (record.blockId === 0) {
    initHashBitmap(page, HashInitBitmap.bitmapSize.get(record.view, record.main));
  } else {
    // The first bitmap stands behind the metapage and the first buckets.
    const meta = hashMetaAt(page);
    addBitmap(page, meta, HashMeta.maxBucket.get(page, meta) + 2);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** `hash_xlog_insert`. Blocks: 0 the page, 1 the metapage. */
function redoInsert(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, HashInsert.size);
  if (record.blockId === 0) insertTuple(page, record);
  else addToTupleCount(page, 1);
  PageHeader.lsn.set(page, 0, record.end);
}

function insertTuple(page: DataView, record: BlockRecord): void {
  const { view, data, dataSize } = record;
  ensureHashPage(page);
  ensureData(record, IndexTuple.size);
  const slot = HashInsert.slot.get(view, record.main);
  const at = reserveItem(page, slot, dataSize, placement.shuffle);
  copyBytes(page, at, view, data, dataSize);
}

function addToTupleCount(page: DataView, count: number): void {
  const meta = hashMetaAt(page);
  HashMeta.tupleCount.set(page, meta, HashMeta.tupleCount.get(page, meta) + count);
}

/**
 * `hash_xlog_add_ovfl_page`. Blocks: 0 the new overflow page, 1 the page before it, 2 the bitmap it
 * was free in, 3 a bitmap that is new, 4 the metapage.
 */
function redoAddOverflowPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 4);
  ensureMain(record, HashAddOverflow.size);
  const { blockId } = record;
  if (blockId === 0) {
    initHashPage(page, record.blockNumber(1), dataNumber(record), hashFlags.overflow);
  } else if (blockId === 1) {
    ensureHashPage(page);
    HashOpaque.next.set(page, opaqueAt, record.blockNumber(0));
  } else if (blockId === 2) {
    setBitmapBit(page, dataNumber(record), true);
  } else if (blockId === 3) {
    initHashBitmap(page, HashAddOverflow.bitmapSize.get(record.view, record.main));
  } else {
    countOverflowPage(page, record);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** The metapage: an overflow page that no bitmap had was added at the end, maybe with a bitmap. */
function countOverflowPage(page: DataView, record: BlockRecord): void {
  const meta = hashMetaAt(page);
  HashMeta.firstFree.set(page, meta, dataNumber(record));
  if (HashAddOverflow.bitmapFound.get(record.view, record.main) !== 0) return;
  addSpare(page, meta);
  if (!record.hasBlock(3)) return;
  addBitmap(page, meta, record.blockNumber(3));
  addSpare(page, meta);
}

/** `hash_xlog_split_allocate_page`. Blocks: 0 the old bucket, 1 the new one, 2 the metapage. */
function redoSplitAllocatePage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, HashSplitAllocate.size);
  const { view, main } = record;
  const newBucket = HashSplitAllocate.newBucket.get(view, main);
  if (record.blockId === 0) {
    ensureHashPage(page);
    HashOpaque.flags.set(page, opaqueAt, HashSplitAllocate.oldFlags.get(view, main));
    HashOpaque.previous.set(page, opaqueAt, newBucket);
  } else if (record.blockId === 1) {
    initHashPage(page, newBucket, newBucket, HashSplitAllocate.newFlags.get(view, main));
  } else {
    countBucket(page, record, newBucket);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

function countBucket(page: DataView, record: BlockRecord, newBucket: number): void {
  const { view } = record;
  const flags = HashSplitAllocate.flags.get(view, record.main);
  const meta = hashMetaAt(page);
  let at = record.data;
  HashMeta.maxBucket.set(page, meta, newBucket);
  if ((flags & splitFlags.masks) !== 0) {
    ensureData(record, SplitMasks.size);
    HashMeta.lowMask.set(page, meta, SplitMasks.low.get(view, at));
    HashMeta.highMask.set(page, meta, SplitMasks.high.get(view, at));
    at += SplitMasks.size;
  }
  if ((flags & splitFlags.splitpoint) !== 0) {
    ensureData(record, at - record.data + SplitPoint.size);
    const splitpoint = SplitPoint.splitpoint.get(view, at);
    setSpares(page, meta, splitpoint, SplitPoint.spares.get(view, at));
    HashMeta.splitpoint.set(page, meta, splitpoint);
  }
}

/** `hash_xlog_split_page`: the record is nothing but an image, so one without is damaged. */
function redoSplitPage(_page: DataView, record: BlockRecord): void {
  throw new Failure('redo_record_malformed', { rmgr: record.rmgr, info: record.info });
}

/** `hash_xlog_split_complete`. Blocks: 0 the old bucket, 1 the new one. */
function redoSplitComplete(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, HashSplitComplete.size);
  ensureHashPage(page);
  const { oldFlags, newFlags } = HashSplitComplete;
  const flags = record.blockId === 0 ? oldFlags : newFlags;
  HashOpaque.flags.set(page, opaqueAt, flags.get(record.view, record.main));
  PageHeader.lsn.set(page, 0, record.end);
}

/**
 * `hash_xlog_move_page_contents`. Blocks: 0 the bucket's primary page if that is none of the others,
 * 1 the page tuples move to, 2 the one they come from.
 */
function redoMovePageContents(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, HashMove.size);
  if (record.blockId === 0) return; // to be locked, not changed
  ensureHashPage(page);
  if (record.blockId === 1)
    addTuples(page, record, HashMove.tupleCount.get(record.view, record.main));
  else deleteSlots(page, record);
  PageHeader.lsn.set(page, 0, record.end);
}

/** Adds tuples, each at its slot: the block's data has `count` slots, then as many tuples. */
function addTuples(page: DataView, record: BlockRecord, count: number): void {
  const { view, data } = record;
  const end = data + record.dataSize;
  let at = data + count * u16.size;
  for (let index = 0; index < count; index += 1) {
    const size = loggedTupleSpace(record, at);
    const slot = u16.read(view, data + index * u16.size);
    const place = reserveItem(page, slot, size, placement.shuffle);
    copyBytes(page, place, view, at, size);
    at += size;
  }
  if (at !== end) throw new Failure('redo_record_malformed', { tupleCount: count, at, end });
}

/** Deletes the slots that are the block's data. */
function deleteSlots(page: DataView, record: BlockRecord): void {
  indexMultiDelete(page, readSlots(record.view, record.data, record.dataSize >>> 1));
}

/**
 * `hash_xlog_squeeze_page`. Blocks: 0 the bucket's primary page if that is none of the others, 1 the
 * page tuples move to, 2 the overflow page that is freed, 3 the page before it if that is not block 1,
 * 4 the page after it, 5 the bitmap it is free in from now on, 6 the metapage.
 */
function redoSqueezePage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 6);
  ensureMain(record, HashSqueeze.size);
  const { view, main, blockId } = record;
  if (blockId === 0) return; // to be locked, not changed
  if (blockId === 1 && !squeezeInto(page, record)) return;
  if (blockId === 2) {
    initHashPage(page, none, none, hashFlags.unused);
  } else if (blockId === 3) {
    ensureHashPage(page);
    HashOpaque.next.set(page, opaqueAt, HashSqueeze.next.get(view, main));
  } else if (blockId === 4) {
    ensureHashPage(page);
    HashOpaque.previous.set(page, opaqueAt, HashSqueeze.previous.get(view, main));
  } else if (blockId === 5) {
    setBitmapBit(page, dataNumber(record), false);
  } else if (blockId === 6) {
    HashMeta.firstFree.set(page, hashMetaAt(page), dataNumber(record));
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** Answers whether the page is to be stamped. */
function squeezeInto(page: DataView, record: BlockRecord): boolean {
  ensureHashPage(page);
  const { view, main } = record;
  const count = HashSqueeze.tupleCount.get(view, main);
  const linked = HashSqueeze.targetIsPrevious.get(view, main) !== 0;
  if (count > 0) addTuples(page, record, count);
  if (linked) HashOpaque.next.set(page, opaqueAt, HashSqueeze.next.get(view, main));
  return count > 0 || linked || squeezeAlwaysStamps[record.major] === true;
}

/**
 * `hash_xlog_delete`. Blocks: 0 the bucket's primary page if that is not the other, 1 the page tuples
 * are deleted from.
 */
function redoDelete(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, HashDelete.size);
  if (record.blockId === 0) return; // to be locked, not changed
  ensureHashPage(page);
  deleteSlots(page, record);
  const clear = HashDelete.clearDeadMarking.get(record.view, record.main) !== 0;
  if (clear) clearFlags(page, hashFlags.hasDeadTuples);
  PageHeader.lsn.set(page, 0, record.end);
}

function clearFlags(page: DataView, flags: number): void {
  HashOpaque.flags.set(page, opaqueAt, HashOpaque.flags.get(page, opaqueAt) & ~flags);
}

/** `hash_xlog_split_cleanup`. */
function redoSplitCleanup(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureHashPage(page);
  clearFlags(page, hashFlags.needsSplitCleanup);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `hash_xlog_update_meta_page`. */
function redoUpdateMetaPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, HashUpdateMeta.size);
  const tupleCount = HashUpdateMeta.tupleCount.get(record.view, record.main);
  HashMeta.tupleCount.set(page, hashMetaAt(page), tupleCount);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `hash_xlog_vacuum_one_page`. Blocks: 0 the page, 1 the metapage. */
function redoVacuumOnePage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, HashVacuum.size);
  const { view, main, mainSize } = record;
  const count = vacuumedCount[record.major]!(view, main);
  const whole = count >= 0 && HashVacuum.size + count * u16.size <= mainSize;
  if (!whole) throw new Failure('redo_record_malformed', { tupleCount: count, mainSize });
  if (record.blockId === 0) {
    ensureHashPage(page);
    indexMultiDelete(page, readSlots(view, main + HashVacuum.size, count));
    clearFlags(page, hashFlags.hasDeadTuples);
  } else {
    addToTupleCount(page, -count);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** The one number that is the block's data. */
function dataNumber(record: BlockRecord): number {
  ensureData(record, u32.size);
  return u32.read(record.view, record.data);
}
