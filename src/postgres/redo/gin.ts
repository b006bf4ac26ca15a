/**
 * Redo of GIN indexes (src/backend/access/gin/ginxlog.c).
 *
 * The same records serve two kinds of tree: the entry tree, whose pages hold index tuples, and the
 * posting trees, one for each key with many TIDs. Splits come as images of every page they make, so
 * that only the child they finish is redone. New tuples wait in a list of pages first (fastupdate).
 *
 * Records are the same in majors 15 to 18.
 */
import { ensure } from '../../base/failure.ts';
import { bytes, padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import {
  ensureSlot,
  indexTupleDelete,
  itemOffset,
  placement,
  reserveItem,
  slotCount,
} from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { recompressLeaf } from './gin-leaf.ts';
import {
  GinMeta,
  GinOpaque,
  PostingItem,
  addPostingItem,
  deletePostingItem,
  ensureGinKind,
  ensureGinPage,
  ensurePostingInner,
  ginDataAt,
  ginFlags,
  ginOpaqueAt,
  initGinMetapage,
  initGinPage,
  noRightLink,
  setGinDataSize,
} from './gin-page.ts';
import { IndexTuple, loggedTupleSize, setDownLink } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';
import { ensureBlock, ensureMain } from './record-data.ts';

export const ginRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x10: redoCreatePostingTree,
  0x20: redoInsert,
  0x30: redoSplit,
  0x40: redoVacuumPage,
  0x50: redoDeletePage,
  0x60: redoUpdateMetapage,
  0x70: redoInsertListPage,
  0x80: redoDeleteListPages,
  0x90: redoVacuumDataLeafPage,
};

/** `ginxlogCreatePostingTree`; so many bytes of posting lists follow. */
export const GinCreatePostingTree = struct({ dataSize: u32 }, { size: 4 });
/** `ginxlogInsert`. */
export const GinInsert = struct({ flags: u16 }, { size: 2 });
/** The two `BlockIdData` that follow `ginxlogInsert` when it finishes the split of a child. */
export const GinChildren = struct(
  { leftHigh: u16, leftLow: u16, rightHigh: u16, rightLow: u16 },
  { size: 8 },
);
/** `ginxlogInsertEntry`, as far as its tuple. */
export const GinInsertEntry = struct({ slot: u16, isDelete: u8, padding: padding(1) }, { size: 4 });
/** `ginxlogInsertDataInternal`, as far as its posting item. */
export const GinInsertInner = struct({ slot: u16 }, { size: 2 });
/** `ginxlogSplit`. */
export const GinSplit = struct(
  {
    locator: bytes(12),
    rightLink: u32,
    leftChild: u32,
    rightChild: u32,
    flags: u16,
    padding: padding(2),
  },
  { size: 28 },
);
/** `ginxlogDeletePage`. */
export const GinDeletePage = struct(
  { parentSlot: u16, padding: padding(2), rightLink: u32, deleteXid: u32 },
  { size: 12 },
);
/** `ginxlogUpdateMeta`, about its `GinMeta`. */
export const GinUpdateMeta = struct(
  {
    locator: bytes(12),
    padding1: padding(4),
    metadata: bytes(GinMeta.size),
    previousTail: u32,
    newRightLink: u32,
    tupleCount: u32,
    padding2: padding(4),
  },
  { size: 88 },
);
/** `ginxlogInsertListPage`. */
export const GinInsertListPage = struct({ rightLink: u32, tupleCount: u32 }, { size: 8 });
/** `ginxlogDeleteListPages`. */
export const GinDeleteListPages = struct(
  { metadata: bytes(GinMeta.size), pageCount: u32, padding: padding(4) },
  { size: 64 },
);

/** `GIN_INSERT_ISDATA`, `GIN_INSERT_ISLEAF`. */
const insertFlags = { data: 0x01, leaf: 0x02 } as const;
const treeFlags = ginFlags.data | ginFlags.leaf | ginFlags.list | ginFlags.meta;

/** `ginRedoClearIncompleteSplit`: the child whose right sibling now has its downlink. */
function clearIncompleteSplit(page: DataView, record: BlockRecord): void {
  ensureGinPage(page);
  const flags = GinOpaque.flags.get(page, ginOpaqueAt);
  GinOpaque.flags.set(page, ginOpaqueAt, flags & ~ginFlags.incompleteSplit);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `ginRedoCreatePTree`. */
function redoCreatePostingTree(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, GinCreatePostingTree.size);
  const { view, main, mainSize } = record;
  const size = GinCreatePostingTree.dataSize.get(view, main);
  const isWhole = GinCreatePostingTree.size + size <= mainSize;
  ensure(isWhole, 'redo_record_malformed', { size, mainSize });

  initGinPage(page, ginFlags.data | ginFlags.leaf | ginFlags.compressed);
  setGinDataSize(page, size);
  copyBytes(page, ginDataAt, view, main + GinCreatePostingTree.size, size);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `ginRedoInsertEntry`: a tuple for the entry tree, which may replace the one in its slot. */
function insertEntry(page: DataView, record: BlockRecord, isLeaf: boolean): void {
  ensureGinKind(page, treeFlags, isLeaf ? ginFlags.leaf : 0);
  const { view, data, dataSize } = record;
  const tuple = data + GinInsertEntry.size;
  const size = loggedTupleSize(record, tuple);
  const isWhole = GinInsertEntry.size + size === dataSize;
  ensure(isWhole, 'redo_record_malformed', { size, dataSize });

  const slot = GinInsertEntry.slot.get(view, data);
  if (!isLeaf) linkEntry(page, slot, rightChildOf(record));
  if (GinInsertEntry.isDelete.get(view, data) !== 0) indexTupleDelete(page, slot);
  const at = reserveItem(page, slot, size, placement.shuffle);
  copyBytes(page, at, view, tuple, size);
}

/** `GinSetDownlink`: the entry that led to a child leads to what was split off it. */
function linkEntry(page: DataView, slot: number, child: number): void {
  ensureSlot(page, slot);
  const at = itemOffset(page, slot);
  setDownLink(page, at, child);
  IndexTuple.position.set(page, at, 0);
}

/** `ginRedoInsertData`: TIDs for a posting tree's leaf, or a posting item for an inner page. */
function insertData(page: DataView, record: BlockRecord, isLeaf: boolean): void {
  const { view, data, dataSize } = record;
  if (isLeaf) {
    recompressLeaf(page, view, data, data + dataSize);
    return;
  }
  ensurePostingInner(page);
  const isWhole = dataSize >= GinInsertInner.size + PostingItem.size;
  ensure(isWhole, 'redo_record_malformed', { dataSize });
  const slot = GinInsertInner.slot.get(view, data);
  addPostingItem(page, slot, rightChildOf(record), view, data + GinInsertInner.size);
}

/** `ginRedoInsert`. Blocks: 0 the page, 1 the child whose split it finishes. */
function redoInsert(page: DataView, record: BlockRecord): void {
  ensureMain(record, GinInsert.size);
  const flags = GinInsert.flags.get(record.view, record.main);
  const isLeaf = (flags & insertFlags.leaf) !== 0;
  ensureBlock(record, isLeaf ? 0 : 1);
  if (record.blockId === 1) {
    clearIncompleteSplit(page, record);
    return;
  }
  if ((flags & insertFlags.data) !== 0) insertData(page, record, isLeaf);
  else insertEntry(page, record, isLeaf);
  PageHeader.lsn.set(page, 0, record.end);
}

/** What was split off the child whose split the insertion finishes. */
function rightChildOf(record: BlockRecord): number {
  const at = record.main + GinInsert.size;
  ensureMain(record, GinInsert.size + GinChildren.size);
  const { view } = record;
  return GinChildren.rightHigh.get(view, at) * 0x1_0000 + GinChildren.rightLow.get(view, at);
}

/** `ginRedoSplit`. Block 3 is a child whose split it finishes; the others always have images. */
function redoSplit(page: DataView, record: BlockRecord): void {
  ensureMain(record, GinSplit.size);
  const isLeaf = (GinSplit.flags.get(record.view, record.main) & insertFlags.leaf) !== 0;
  const { blockId } = record;
  ensure(blockId === 3 && !isLeaf, 'redo_record_malformed', { blockId, image: false });
  clearIncompleteSplit(page, record);
}

/** `ginRedoVacuumPage`: the record is nothing but an image of the page. */
function redoVacuumPage(_page: DataView, { blockId }: BlockRecord): void {
  ensure(false, 'redo_record_malformed', { blockId, image: false });
}

/** `ginRedoVacuumDataLeafPage`. */
function redoVacuumDataLeafPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  const { view, data, dataSize } = record;
  recompressLeaf(page, view, data, data + dataSize);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `ginRedoDeletePage`. Blocks: 0 the page deleted, 1 its parent, 2 its left sibling. */
function redoDeletePage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, GinDeletePage.size);
  const { view, main, blockId } = record;
  ensureGinKind(page, ginFlags.data, ginFlags.data);
  if (blockId === 0) {
    const flags = GinOpaque.flags.get(page, ginOpaqueAt);
    GinOpaque.flags.set(page, ginOpaqueAt, flags | ginFlags.deleted);
    // `GinPageSetDeleteXid`: the page may be used again when nobody is left who knew it.
    PageHeader.pruneXid.set(page, 0, GinDeletePage.deleteXid.get(view, main));
  } else if (blockId === 1) {
    ensurePostingInner(page);
    deletePostingItem(page, GinDeletePage.parentSlot.get(view, main));
  } else GinOpaque.rightLink.set(page, ginOpaqueAt, GinDeletePage.rightLink.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `ginRedoUpdateMetapage`. Blocks: 0 the metapage, 1 the last page of the pending list. */
function redoUpdateMetapage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, GinUpdateMeta.size);
  const { view, main } = record;
  if (record.blockId === 0) initGinMetapage(page, view, main + GinUpdateMeta.metadata.offset);
  else updateTail(page, record);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The list's last page gets a heap tuple's entries, or pages to its right. */
function updateTail(page: DataView, record: BlockRecord): void {
  ensureGinKind(page, ginFlags.list, ginFlags.list);
  const { view, main } = record;
  const count = GinUpdateMeta.tupleCount.get(view, main) | 0;
  if (count > 0) {
    appendEntries(page, record, count);
    const heapTuples = GinOpaque.itemCount.get(page, ginOpaqueAt);
    GinOpaque.itemCount.set(page, ginOpaqueAt, heapTuples + 1);
    return;
  }
  const previousTail = GinUpdateMeta.previousTail.get(view, main);
  ensure(previousTail !== noRightLink, 'redo_record_malformed', { blockId: record.blockId });
  GinOpaque.rightLink.set(page, ginOpaqueAt, GinUpdateMeta.newRightLink.get(view, main));
}

/** `ginRedoInsertListPage`. */
function redoInsertListPage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, GinInsertListPage.size);
  const { view, main } = record;
  const rightLink = GinInsertListPage.rightLink.get(view, main);
  const isTail = rightLink === noRightLink;
  initGinPage(page, isTail ? ginFlags.list | ginFlags.listFullRow : ginFlags.list);
  GinOpaque.rightLink.set(page, ginOpaqueAt, rightLink);
  GinOpaque.itemCount.set(page, ginOpaqueAt, isTail ? 1 : 0);
  appendEntries(page, record, GinInsertListPage.tupleCount.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `ginRedoDeleteListPages`. Blocks: 0 the metapage, the others pages of the list, now empty. */
function redoDeleteListPages(page: DataView, record: BlockRecord): void {
  ensureMain(record, GinDeleteListPages.size);
  const { view, main } = record;
  ensureBlock(record, GinDeleteListPages.pageCount.get(view, main));
  if (record.blockId === 0) initGinMetapage(page, view, main + GinDeleteListPages.metadata.offset);
  else initGinPage(page, ginFlags.deleted);
  PageHeader.lsn.set(page, 0, record.end);
}

/** Appends the `count` tuples that the block's data is made of. */
function appendEntries(page: DataView, record: BlockRecord, count: number): void {
  let at = record.data;
  for (let done = 0; done < count; done += 1) {
    const size = loggedTupleSize(record, at);
    const offset = reserveItem(page, slotCount(page) + 1, size, placement.shuffle);
    copyBytes(page, offset, record.view, at, size);
    at += size;
  }
  const rest = record.data + record.dataSize - at;
  ensure(rest === 0, 'redo_record_malformed', { count, rest });
}
