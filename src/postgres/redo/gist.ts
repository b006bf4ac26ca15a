/**
 * Redo of GiST indexes (src/backend/access/gist/gistxlog.c).
 *
 * Index builds are logged as images of pages. What scans mark on leaf pages, dead tuples and the flag
 * that there are some, is not logged at all.
 */
import { ensure } from '../../base/failure.ts';
import { lsnField, padding, struct, u16, u32, u64, u8 } from '../../base/struct.ts';
import { ensureMajor, type Major } from '../major.ts';
import { PageHeader } from '../page.ts';
import {
  indexMultiDelete,
  indexTupleDelete,
  indexTupleOverwrite,
  placement,
  reserveItem,
  slotCount,
} from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { loggedTupleSize } from './index-tuple.ts';
import {
  GistDeletedPage,
  GistOpaque,
  changeGistFlags,
  ensureGistPage,
  finishGistSplit,
  gistFlags,
  gistOpaqueAt,
  gistRootBlock,
  initGistPage,
  isGistLeaf,
  noRightLink,
} from './gist-page.ts';
import { copyBytes } from './page-bytes.ts';
import { ensureBlock, ensureMain, readSlots, slotSize } from './record-data.ts';

export const gistRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoPageUpdateRecord,
  0x10: redoDeleteRecord,
  0x20: redoNothing, // XLOG_GIST_PAGE_REUSE touches no page: it is a conflict point for standbys
  0x30: redoPageSplitRecord,
  0x60: redoPageDelete,
  0x70: redoNothing, // XLOG_GIST_ASSIGN_LSN takes up space in the log, for a position of its own
};

/** `gistxlogPageUpdate`; block data: slots deleted, tuples inserted. */
export const GistPageUpdate = struct({ deletedCount: u16, insertedCount: u16 }, { size: 4 });
/** `gistxlogDelete` up to where majors differ; the slots follow at `deletedSlotsAt`. */
export const GistDelete = struct({ horizon: u32, deletedCount: u16 }, { size: 6 });
/** `gistxlogPageSplit`; block data: a count of tuples, the tuples. */
export const GistPageSplit = struct(
  {
    rightLink: u32,
    padding1: padding(4),
    nsn: lsnField,
    isLeaf: u8,
    padding2: padding(1),
    pageCount: u16,
    markFollowRight: u8,
    padding3: padding(3),
  },
  { size: 24 },
);
const TupleCount = struct({ count: u32 }, { size: 4 });
/** `gistxlogPageDelete`. */
export const GistPageDelete = struct({ deleteXid: u64, downlinkSlot: u16 }, { size: 10 });

/** `SizeOfGistxlogDelete`: majors from 16 on have a flag for standbys, and its padding. */
export const deletedSlotsAt: Readonly<Record<Major, number>> = {
  15: 6,
  16: 8,
  17: 8,
  18: 8,
};

/** `gistRedoClearFollowRight`. */
function redoClearFollowRight(page: DataView, record: BlockRecord): void {
  finishGistSplit(page, record.end);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `gistRedoPageUpdateRecord`. Blocks: 0 the page, 1 the left half of a split this finishes. */
function redoPageUpdateRecord(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  if (record.blockId === 0) updatePage(page, record);
  else redoClearFollowRight(page, record);
}

function updatePage(page: DataView, record: BlockRecord): void {
  ensureGistPage(page);
  ensureMain(record, GistPageUpdate.size);
  const deleted = GistPageUpdate.deletedCount.get(record.view, record.main);
  const inserted = GistPageUpdate.insertedCount.get(record.view, record.main);
  const tuples = deleted * slotSize;
  ensure(tuples <= record.dataSize, 'redo_record_malformed', { deleted });

  if (deleted === 1 && inserted === 1) overwriteTuple(page, record);
  else {
    deleteTuples(page, record, deleted);
    addTuples(page, record, tuples, inserted);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** One tuple for another: it stays where it was, other than with a deletion and an insertion. */
function overwriteTuple(page: DataView, record: BlockRecord): void {
  const { view, data } = record;
  const size = loggedTupleSize(record, data + slotSize);
  ensure(slotSize + size === record.dataSize, 'redo_record_malformed', { size });
  const tuple = new Uint8Array(view.buffer, view.byteOffset + data + slotSize, size);
  indexTupleOverwrite(page, view.getUint16(data, true), tuple);
}

function deleteTuples(page: DataView, record: BlockRecord, count: number): void {
  if (count === 0) return;
  indexMultiDelete(page, readSlots(record.view, record.data, count));
  if (isGistLeaf(page)) changeGistFlags(page, gistFlags.tuplesDeleted, 0);
}

/** Adds the tuples behind the last slot that reach from `from` to the end of the block's data. */
function addTuples(page: DataView, record: BlockRecord, from: number, count: number): void {
  const end = record.data + record.dataSize;
  let slot = slotCount(page) + 1;
  const last = slot + count;
  for (let at = record.data + from; at < end; slot += 1) {
    const size = loggedTupleSize(record, at);
    const target = reserveItem(page, slot, size, placement.shuffle);
    copyBytes(page, target, record.view, at, size);
    at += size;
  }
  ensure(slot === last, 'redo_record_malformed', { tuples: count, missing: last - slot });
}

/** `gistRedoDeleteRecord`: tuples marked dead go, to make room for an insertion. */
function redoDeleteRecord(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureGistPage(page);
  const slots = deletedSlotsAt[ensureMajor(record.major)];
  ensureMain(record, GistDelete.size);
  const count = GistDelete.deletedCount.get(record.view, record.main);
  ensureMain(record, slots + count * slotSize);

  indexMultiDelete(page, readSlots(record.view, record.main + slots, count));
  changeGistFlags(page, gistFlags.tuplesDeleted, gistFlags.hasGarbage);
  PageHeader.lsn.set(page, 0, record.end);
}

/**
 * `gistRedoPageSplitRecord`. Blocks: 0 the left half of a split below that this finishes, 1 and on
 * the pages the page is split into, 1 being the page itself.
 */
function redoPageSplitRecord(page: DataView, record: BlockRecord): void {
  if (record.blockId === 0) redoClearFollowRight(page, record);
  else makeSplitPage(page, record);
}

function makeSplitPage(page: DataView, record: BlockRecord): void {
  const { view, main, blockId } = record;
  ensureMain(record, GistPageSplit.size);
  ensure(record.dataSize >= TupleCount.size, 'redo_record_malformed', { blockId });
  const isLast = blockId === GistPageSplit.pageCount.get(view, main);
  const isRoot = record.blockNumber(blockId) === gistRootBlock;
  const isLeaf = !isRoot && GistPageSplit.isLeaf.get(view, main) !== 0;

  initGistPage(page, isLeaf ? gistFlags.leaf : 0);
  const count = TupleCount.count.get(view, record.data);
  addTuples(page, record, TupleCount.size, count);
  GistOpaque.nsn.set(page, gistOpaqueAt, GistPageSplit.nsn.get(view, main));
  GistOpaque.rightLink.set(page, gistOpaqueAt, rightLink(record, isLast));
  if (!isLast && marksFollowRight(record)) changeGistFlags(page, gistFlags.followRight, 0);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The root has none; the last page has what the page had before the split. */
function rightLink(record: BlockRecord, isLast: boolean): number {
  if (record.blockNumber(record.blockId) === gistRootBlock) return noRightLink;
  if (!isLast) return record.blockNumber(record.blockId + 1);
  return GistPageSplit.rightLink.get(record.view, record.main);
}

/** Not when the root is split: its new contents are the downlinks. */
function marksFollowRight(record: BlockRecord): boolean {
  const isMarked = GistPageSplit.markFollowRight.get(record.view, record.main) !== 0;
  return isMarked && record.blockNumber(1) !== gistRootBlock;
}

/** `gistRedoPageDelete`. Blocks: 0 the empty page, 1 its parent. */
function redoPageDelete(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureGistPage(page);
  ensureMain(record, GistPageDelete.size);
  const { view, main } = record;
  if (record.blockId === 0) setDeleted(page, GistPageDelete.deleteXid.get(view, main));
  else indexTupleDelete(page, GistPageDelete.downlinkSlot.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `GistPageSetDeleted`: instead of slots the page has the xid from which on nobody reads it. */
function setDeleted(page: DataView, deleteXid: number): void {
  changeGistFlags(page, gistFlags.deleted, 0);
  PageHeader.lower.set(page, 0, PageHeader.size + GistDeletedPage.size);
  GistDeletedPage.deleteXid.set(page, PageHeader.size, deleteXid);
}

function redoNothing(): void {
  // No page, nothing to do.
}
