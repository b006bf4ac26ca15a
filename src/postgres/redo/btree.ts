/**
 * Redo of B-tree indexes (src/backend/access/nbtree/nbtxlog.c).
 *
 * A record that touches several pages is redone from the side of one of them: `record.blockId` says
 * which. A page never needs another: what a split moves to the right is spelled out in that block's
 * data, and what stays on the left is on the page.
 */
import { ensure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u64, u8 } from '../../base/struct.ts';
import { PageHeader, pageSize } from '../page.ts';
import {
  ensureSlot,
  indexMultiDelete,
  indexTupleDelete,
  itemFlags,
  itemOffset,
  maxAlign,
  placement,
  reserveItem,
  setItem,
} from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import {
  beginRewrite,
  copySlot,
  endRewrite,
  redoDedup,
  swapPosting,
  updatePostings,
} from './btree-dedup.ts';
import {
  BtreeMeta,
  BtreeOpaque,
  addTopParent,
  appendItem,
  btreeFlags,
  btreeMagic,
  ensureBtreePage,
  firstDataSlot,
  initBtreePage,
  noSibling,
  opaqueAt,
} from './btree-page.ts';
import { IndexTuple, downLink, loggedTupleSpace, setDownLink, tupleSize } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';
import { ensureBlock } from './record-data.ts';

export const btreeRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoInsertLeaf,
  0x10: redoInsertUpper,
  0x20: redoInsertMeta,
  0x30: redoSplitLeft,
  0x40: redoSplitRight,
  0x50: redoInsertPosting,
  0x60: redoDedup,
  0x70: redoDelete,
  0x80: redoUnlinkPage,
  0x90: redoUnlinkPage, // XLOG_BTREE_UNLINK_PAGE_META: one block more
  0xa0: redoNewRoot,
  0xb0: redoMarkPageHalfDead,
  0xc0: redoVacuum,
  0xd0: redoNothing, // XLOG_BTREE_REUSE_PAGE touches no page: it is a conflict point for standbys
  0xe0: redoMetaCleanup,
};

/** `xl_btree_metadata`. */
export const BtreeMetadata = struct(
  {
    version: u32,
    root: u32,
    level: u32,
    fastRoot: u32,
    fastLevel: u32,
    lastCleanupDeletedPages: u32,
    allEqualImage: u8,
    padding: padding(3),
  },
  { size: 28 },
);
/** `xl_btree_insert`. */
export const BtreeInsert = struct({ slot: u16 }, { size: 2 });
/** What precedes the tuple in the block data of `XLOG_BTREE_INSERT_POST`. */
const PostingIndex = struct({ index: u16 }, { size: 2 });
/** `xl_btree_split`. */
export const BtreeSplit = struct(
  { level: u32, firstRightSlot: u16, newSlot: u16, postingIndex: u16 },
  { size: 10 },
);
/** `xl_btree_vacuum`; block data: deleted slots, updated slots, updates. */
export const BtreeVacuum = struct({ deletedCount: u16, updatedCount: u16 }, { size: 4 });
/** `xl_btree_delete`, as far as redo reads it: majors from 16 on append a flag for standbys. */
export const BtreeDelete = struct(
  { horizon: u32, deletedCount: u16, updatedCount: u16 },
  { size: 8 },
);
/** `xl_btree_mark_page_halfdead`. */
export const BtreeMarkHalfDead = struct(
  { parentSlot: u16, padding: padding(2), leaf: u32, left: u32, right: u32, topParent: u32 },
  { size: 20 },
);
/** `xl_btree_unlink_page`. */
export const BtreeUnlink = struct(
  {
    left: u32,
    right: u32,
    level: u32,
    padding: padding(4),
    safeXid: u64,
    leafLeft: u32,
    leafRight: u32,
    leafTopParent: u32,
  },
  { size: 36 },
);
/** `BTDeletedPageData`. */
export const DeletedPage = struct({ safeXid: u64 }, { size: 8 });
/** `xl_btree_newroot`. */
export const BtreeNewRoot = struct({ root: u32, level: u32 }, { size: 8 });

const slotSize = 2;
/** Majors whose redo of VACUUM also clears the page's vacuum cycle id. */
const vacuumClearsCycleId: Readonly<Partial<Record<number, boolean>>> = { 18: true };
const newTuple = new DataView(new ArrayBuffer(pageSize));

/**
 * `_bt_restore_page`: the block's data is the tuple space of a page as it was, last slot first.
 * Adding its tuples from behind puts every one where it already is, so the space is copied whole.
 */
function restorePage(page: DataView, record: BlockRecord): void {
  const { view, data, dataSize } = record;
  const end = data + dataSize;
  const upper = opaqueAt - dataSize;
  let count = 0;
  for (let at = data; at < end; at += loggedTupleSpace(record, at)) count += 1;
  const lower = PageHeader.size + count * 4;
  ensure(lower <= upper, 'page_full', { dataSize, count });

  copyBytes(page, upper, view, data, dataSize);
  let slot = count;
  for (let at = data; at < end; slot -= 1) {
    const size = loggedTupleSpace(record, at);
    setItem(page, slot, upper + (at - data), itemFlags.normal, size);
    at += size;
  }
  PageHeader.lower.set(page, 0, lower);
  PageHeader.upper.set(page, 0, upper);
}

/** `_bt_restore_meta`: makes the metapage from the block's data. */
function restoreMeta(page: DataView, record: BlockRecord): void {
  const { view, data } = record;
  ensure(record.dataSize >= BtreeMetadata.size, 'redo_record_malformed', {
    dataSize: record.dataSize,
  });
  initBtreePage(page);
  const meta = PageHeader.size;
  BtreeMeta.magic.set(page, meta, btreeMagic);
  BtreeMeta.version.set(page, meta, BtreeMetadata.version.get(view, data));
  BtreeMeta.root.set(page, meta, BtreeMetadata.root.get(view, data));
  BtreeMeta.level.set(page, meta, BtreeMetadata.level.get(view, data));
  BtreeMeta.fastRoot.set(page, meta, BtreeMetadata.fastRoot.get(view, data));
  BtreeMeta.fastLevel.set(page, meta, BtreeMetadata.fastLevel.get(view, data));
  const deletedPages = BtreeMetadata.lastCleanupDeletedPages.get(view, data);
  BtreeMeta.lastCleanupDeletedPages.set(page, meta, deletedPages);
  BtreeMeta.lastCleanupHeapTuples.set(page, meta, -1);
  BtreeMeta.allEqualImage.set(page, meta, BtreeMetadata.allEqualImage.get(view, data));
  BtreeOpaque.flags.set(page, opaqueAt, btreeFlags.meta);
  PageHeader.lower.set(page, 0, meta + BtreeMeta.size);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `_bt_clear_incomplete_split`: the child whose right sibling now has its downlink. */
function clearIncompleteSplit(page: DataView, record: BlockRecord): void {
  ensureBtreePage(page);
  const flags = BtreeOpaque.flags.get(page, opaqueAt);
  BtreeOpaque.flags.set(page, opaqueAt, flags & ~btreeFlags.incompleteSplit);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_insert`, of a tuple into a leaf. */
function redoInsertLeaf(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  insertTuple(page, record);
}

/** `btree_xlog_insert`, of a downlink: block 1 is the child that was split. */
function redoInsertUpper(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  if (record.blockId === 0) insertTuple(page, record);
  else clearIncompleteSplit(page, record);
}

/** `btree_xlog_insert`, of a downlink that changes the fast root: block 2 is the metapage. */
function redoInsertMeta(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  if (record.blockId === 2) restoreMeta(page, record);
  else redoInsertUpper(page, record);
}

function insertTuple(page: DataView, record: BlockRecord): void {
  ensureBtreePage(page);
  const slot = BtreeInsert.slot.get(record.view, record.main);
  const at = reserveItem(page, slot, record.dataSize, placement.shuffle);
  copyBytes(page, at, record.view, record.data, record.dataSize);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_insert`, of a tuple whose TID falls within the posting list before it. */
function redoInsertPosting(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureBtreePage(page);
  const slot = BtreeInsert.slot.get(record.view, record.main);
  const index = PostingIndex.index.get(record.view, record.data);
  const size = record.dataSize - PostingIndex.size;
  ensure(size >= IndexTuple.size, 'redo_record_malformed', { dataSize: record.dataSize });
  copyBytes(newTuple, 0, record.view, record.data + PostingIndex.size, size);

  ensureSlot(page, slot - 1);
  swapPosting(page, itemOffset(page, slot - 1), index, newTuple, 0);
  const at = reserveItem(page, slot, size, placement.shuffle);
  copyBytes(page, at, newTuple, 0, size);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_split`, the new tuple going to the left page. */
function redoSplitLeft(page: DataView, record: BlockRecord): void {
  splitBlock(page, record, true);
}

/** `btree_xlog_split`, the new tuple going to the right page. */
function redoSplitRight(page: DataView, record: BlockRecord): void {
  splitBlock(page, record, false);
}

/** Blocks: 0 the page split, 1 its new right sibling, 2 the one after that, 3 the child. */
function splitBlock(page: DataView, record: BlockRecord, newOnLeft: boolean): void {
  ensureBlock(record, 3);
  if (record.blockId === 0) splitLeftPage(page, record, newOnLeft);
  else if (record.blockId === 1) splitRightPage(page, record);
  else if (record.blockId === 2) linkPrevious(page, record, record.blockNumber(1));
  else clearIncompleteSplit(page, record);
}

function splitRightPage(page: DataView, record: BlockRecord): void {
  const level = BtreeSplit.level.get(record.view, record.main);
  initBtreePage(page);
  BtreeOpaque.previous.set(page, opaqueAt, record.blockNumber(0));
  const next = record.hasBlock(2) ? record.blockNumber(2) : noSibling;
  BtreeOpaque.next.set(page, opaqueAt, next);
  BtreeOpaque.level.set(page, opaqueAt, level);
  BtreeOpaque.flags.set(page, opaqueAt, level === 0 ? btreeFlags.leaf : 0);
  restorePage(page, record);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The page keeps what is left of the split point: rewritten in order, as `_bt_split` did. */
function splitLeftPage(page: DataView, record: BlockRecord, newOnLeft: boolean): void {
  ensureBtreePage(page);
  const { view, main } = record;
  const hasNew = newOnLeft || BtreeSplit.postingIndex.get(view, main) !== 0;
  const newSize = hasNew ? loggedTupleSpace(record, record.data) : 0;
  const highKey = record.data + newSize;
  const highKeySize = loggedTupleSpace(record, highKey);
  const whole = newSize + highKeySize === record.dataSize;
  ensure(whole, 'redo_record_malformed', { newSize, highKeySize, dataSize: record.dataSize });
  copyBytes(newTuple, 0, view, record.data, newSize);

  const target = beginRewrite(page);
  appendItem(target, view, highKey, highKeySize);
  copyLeftHalf(page, record, target, newOnLeft ? newSize : 0);
  endRewrite(page);

  const leaf = BtreeSplit.level.get(view, main) === 0 ? btreeFlags.leaf : 0;
  BtreeOpaque.flags.set(page, opaqueAt, btreeFlags.incompleteSplit | leaf);
  BtreeOpaque.next.set(page, opaqueAt, record.blockNumber(1));
  BtreeOpaque.cycleId.set(page, opaqueAt, 0);
  PageHeader.lsn.set(page, 0, record.end);
}

/**
 * Appends the tuples before the split point; in between, where it belongs, the new tuple of
 * `newSize` bytes (0 if it went right), and a posting list it splits with its TID in it.
 */
function copyLeftHalf(
  page: DataView,
  record: BlockRecord,
  target: DataView,
  newSize: number,
): void {
  const { view, main } = record;
  const newSlot = BtreeSplit.newSlot.get(view, main);
  const firstRight = BtreeSplit.firstRightSlot.get(view, main);
  const postingIndex = BtreeSplit.postingIndex.get(view, main);
  const postingSlot = postingIndex === 0 ? 0 : newSlot - 1;
  let slot = firstDataSlot(page);
  for (; slot < firstRight; slot += 1) {
    if (slot === newSlot && newSize !== 0) appendItem(target, newTuple, 0, newSize);
    if (slot === postingSlot) appendSwapped(page, slot, target, postingIndex);
    else copySlot(page, slot, target);
  }
  if (slot === newSlot && newSize !== 0) appendItem(target, newTuple, 0, newSize);
}

/** Appends a slot's posting list with the new tuple's TID in it; the new tuple gets its last. */
function appendSwapped(page: DataView, slot: number, target: DataView, index: number): void {
  ensureSlot(page, slot);
  const from = itemOffset(page, slot);
  const at = appendItem(target, page, from, maxAlign(tupleSize(page, from)));
  swapPosting(target, at, index, newTuple, 0);
}

function linkPrevious(page: DataView, record: BlockRecord, previous: number): void {
  ensureBtreePage(page);
  BtreeOpaque.previous.set(page, opaqueAt, previous);
  PageHeader.lsn.set(page, 0, record.end);
}

function linkNext(page: DataView, record: BlockRecord, next: number): void {
  ensureBtreePage(page);
  BtreeOpaque.next.set(page, opaqueAt, next);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_vacuum`. */
function redoVacuum(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  const deleted = BtreeVacuum.deletedCount.get(record.view, record.main);
  const updated = BtreeVacuum.updatedCount.get(record.view, record.main);
  deleteTuples(page, record, deleted, updated);
  if (vacuumClearsCycleId[record.major] === true) BtreeOpaque.cycleId.set(page, opaqueAt, 0);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_delete`. */
function redoDelete(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  const deleted = BtreeDelete.deletedCount.get(record.view, record.main);
  const updated = BtreeDelete.updatedCount.get(record.view, record.main);
  deleteTuples(page, record, deleted, updated);
  PageHeader.lsn.set(page, 0, record.end);
}

/** Shrinks posting lists, then deletes tuples: both VACUUM's way and an insertion's. */
function deleteTuples(
  page: DataView,
  record: BlockRecord,
  deletedCount: number,
  updatedCount: number,
): void {
  ensureBtreePage(page);
  const updated = record.data + deletedCount * slotSize;
  const end = updated + updatedCount * slotSize;
  const whole = end <= record.data + record.dataSize;
  ensure(whole, 'redo_record_malformed', { deletedCount, updatedCount });
  updatePostings(page, record, updated, updatedCount);

  const slots: number[] = [];
  for (let at = record.data; at < updated; at += slotSize)
    slots.push(record.view.getUint16(at, true));
  indexMultiDelete(page, slots);
  const flags = BtreeOpaque.flags.get(page, opaqueAt);
  BtreeOpaque.flags.set(page, opaqueAt, flags & ~btreeFlags.hasGarbage);
}

/** `btree_xlog_mark_page_halfdead`. Blocks: 0 the leaf, 1 the top parent of its empty subtree. */
function redoMarkPageHalfDead(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  const { view, main } = record;
  if (record.blockId === 1) {
    dropDownLink(page, record);
    return;
  }
  initBtreePage(page);
  BtreeOpaque.previous.set(page, opaqueAt, BtreeMarkHalfDead.left.get(view, main));
  BtreeOpaque.next.set(page, opaqueAt, BtreeMarkHalfDead.right.get(view, main));
  BtreeOpaque.flags.set(page, opaqueAt, btreeFlags.halfDead | btreeFlags.leaf);
  addTopParent(page, BtreeMarkHalfDead.topParent.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** The parent keeps the leaf's key but leads to its right sibling, whose own entry goes. */
function dropDownLink(page: DataView, record: BlockRecord): void {
  ensureBtreePage(page);
  const slot = BtreeMarkHalfDead.parentSlot.get(record.view, record.main);
  ensureSlot(page, slot);
  ensureSlot(page, slot + 1);
  setDownLink(page, itemOffset(page, slot), downLink(page, itemOffset(page, slot + 1)));
  indexTupleDelete(page, slot + 1);
  PageHeader.lsn.set(page, 0, record.end);
}

/**
 * `btree_xlog_unlink_page`. Blocks: 0 the page deleted, 1 and 2 its siblings, 3 the leaf of its
 * subtree when that is another page, 4 the metapage when the fast root changes.
 */
function redoUnlinkPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 4);
  const { view, main } = record;
  if (record.blockId === 0) makeDeleted(page, record);
  else if (record.blockId === 1) linkNext(page, record, BtreeUnlink.right.get(view, main));
  else if (record.blockId === 2) linkPrevious(page, record, BtreeUnlink.left.get(view, main));
  else if (record.blockId === 3) makeHalfDead(page, record);
  else restoreMeta(page, record);
}

/** The page deleted, with `BTPageSetDeleted`. */
function makeDeleted(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const level = BtreeUnlink.level.get(view, main);
  const { deleted, hasFullXid, leaf } = btreeFlags;
  initBtreePage(page);
  BtreeOpaque.previous.set(page, opaqueAt, BtreeUnlink.left.get(view, main));
  BtreeOpaque.next.set(page, opaqueAt, BtreeUnlink.right.get(view, main));
  BtreeOpaque.level.set(page, opaqueAt, level);
  BtreeOpaque.flags.set(page, opaqueAt, deleted | hasFullXid | (level === 0 ? leaf : 0));
  DeletedPage.safeXid.set(page, PageHeader.size, BtreeUnlink.safeXid.get(view, main));
  PageHeader.lower.set(page, 0, PageHeader.size + DeletedPage.size);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The leaf, made anew to point at the next page of its subtree to be deleted. */
function makeHalfDead(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  initBtreePage(page);
  BtreeOpaque.previous.set(page, opaqueAt, BtreeUnlink.leafLeft.get(view, main));
  BtreeOpaque.next.set(page, opaqueAt, BtreeUnlink.leafRight.get(view, main));
  BtreeOpaque.flags.set(page, opaqueAt, btreeFlags.halfDead | btreeFlags.leaf);
  addTopParent(page, BtreeUnlink.leafTopParent.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `btree_xlog_newroot`. Blocks: 0 the root, 1 the old root (none if the tree was empty), 2 meta. */
function redoNewRoot(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  if (record.blockId === 0) makeRoot(page, record);
  else if (record.blockId === 1) clearIncompleteSplit(page, record);
  else restoreMeta(page, record);
}

function makeRoot(page: DataView, record: BlockRecord): void {
  const level = BtreeNewRoot.level.get(record.view, record.main);
  initBtreePage(page);
  BtreeOpaque.level.set(page, opaqueAt, level);
  BtreeOpaque.flags.set(page, opaqueAt, btreeFlags.root | (level === 0 ? btreeFlags.leaf : 0));
  if (level > 0) restorePage(page, record);
  PageHeader.lsn.set(page, 0, record.end);
}

function redoMetaCleanup(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  restoreMeta(page, record);
}

function redoNothing(): void {
  // No page, nothing to do.
}
