/**
 * Redo of SP-GiST indexes (src/backend/access/spgist/spgxlog.c): insertions. spgist-vacuum.ts has the
 * records of VACUUM, spgist-picksplit.ts the one that turns a chain of leaf tuples into a subtree.
 *
 * Everything is in a record's main data, for all of its pages. Index builds are logged as images.
 */
import { padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import { indexTupleDelete } from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { ensureBlock, ensureMain, readSlots, slotSize } from './record-data.ts';
import {
  addDead,
  addOrReplaceTuple,
  ensureSpgistPage,
  initSpgistPage,
  innerSize,
  leafSize,
  replaceByDead,
  replaceTuple,
  setNextSlot,
  spgistFlags,
  tupleStates,
  updateNodeLink,
  type Replacement,
} from './spgist-page.ts';
import { redoPickSplit } from './spgist-picksplit.ts';
import { redoVacuumLeaf, redoVacuumRedirect, redoVacuumRoot } from './spgist-vacuum.ts';

export const spgistRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x10: redoAddLeaf,
  0x20: redoMoveLeafs,
  0x30: redoAddNode,
  0x40: redoSplitTuple,
  0x50: redoPickSplit,
  0x60: redoVacuumLeaf,
  0x70: redoVacuumRoot,
  0x80: redoVacuumRedirect,
};

/** `spgxlogAddLeaf`; the leaf tuple follows. */
export const SpgistAddLeaf = struct(
  { newPage: u8, storesNulls: u8, leafSlot: u16, headSlot: u16, parentSlot: u16, node: u16 },
  { size: 10 },
);
/** `spgxlogMoveLeafs`; slots deleted, slots inserted and leaf tuples follow. */
export const SpgistMoveLeafs = struct(
  {
    moveCount: u16,
    newPage: u8,
    replaceDead: u8,
    storesNulls: u8,
    padding1: padding(1),
    parentSlot: u16,
    node: u16,
    padding2: padding(2),
    redirectXid: u32,
    isBuild: u8,
    padding3: padding(3),
  },
  { size: 20 },
);
/** `spgxlogAddNode`; the inner tuple follows. */
export const SpgistAddNode = struct(
  {
    slot: u16,
    newSlot: u16,
    newPage: u8,
    parentBlock: u8,
    parentSlot: u16,
    node: u16,
    padding1: padding(2),
    redirectXid: u32,
    isBuild: u8,
    padding2: padding(3),
  },
  { size: 20 },
);
/** `spgxlogSplitTuple`; the prefix tuple and the postfix tuple follow. */
export const SpgistSplitTuple = struct(
  { prefixSlot: u16, postfixSlot: u16, newPage: u8, samePage: u8 },
  { size: 6 },
);

const noSlot = 0;

/** `spgRedoAddLeaf`. Blocks: 0 the leaf page, 1 the parent's if a node now leads there. */
function redoAddLeaf(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, SpgistAddLeaf.size);
  const { view, main } = record;
  if (record.blockId === 0) addLeaf(page, record);
  else {
    ensureSpgistPage(page);
    const slot = SpgistAddLeaf.parentSlot.get(view, main);
    const node = SpgistAddLeaf.node.get(view, main);
    updateNodeLink(
      page,
      { slot, node },
      record.blockNumber(0),
      SpgistAddLeaf.leafSlot.get(view, main),
    );
  }
  PageHeader.lsn.set(page, 0, record.end);
}

function addLeaf(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const storesNulls = SpgistAddLeaf.storesNulls.get(view, main) !== 0;
  prepareLeafPage(page, SpgistAddLeaf.newPage.get(view, main) !== 0, storesNulls);
  const slot = SpgistAddLeaf.leafSlot.get(view, main);
  const head = SpgistAddLeaf.headSlot.get(view, main);
  const tuple = main + SpgistAddLeaf.size;
  const size = leafSize(record, tuple);
  // A chain whose head is dead has no other tuple: the new one takes its place.
  if (slot === head) {
    replaceTuple(page, record, tuple, size, slot);
    return;
  }
  addOrReplaceTuple(page, record, tuple, size, slot);
  if (head !== noSlot) setNextSlot(page, head, slot);
}

/** `spgRedoMoveLeafs`. Blocks: 0 where the chain was, 1 where it goes, 2 the parent's. */
function redoMoveLeafs(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, SpgistMoveLeafs.size);
  const { view, main } = record;
  const moves = SpgistMoveLeafs.moveCount.get(view, main);
  const insertCount = SpgistMoveLeafs.replaceDead.get(view, main) !== 0 ? 1 : moves + 1;
  const slotsAt = main + SpgistMoveLeafs.size + moves * slotSize;
  ensureMain(record, slotsAt + insertCount * slotSize - main);
  const newHead = view.getUint16(slotsAt + (insertCount - 1) * slotSize, true);

  if (record.blockId === 0) removeLeafs(page, record, newHead);
  else if (record.blockId === 1) insertLeafs(page, record, slotsAt, insertCount);
  else {
    ensureSpgistPage(page);
    const slot = SpgistMoveLeafs.parentSlot.get(view, main);
    const node = SpgistMoveLeafs.node.get(view, main);
    updateNodeLink(page, { slot, node }, record.blockNumber(1), newHead);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

function insertLeafs(page: DataView, record: BlockRecord, slotsAt: number, count: number): void {
  const { view, main } = record;
  const storesNulls = SpgistMoveLeafs.storesNulls.get(view, main) !== 0;
  prepareLeafPage(page, SpgistMoveLeafs.newPage.get(view, main) !== 0, storesNulls);
  let tuple = slotsAt + count * slotSize;
  for (let index = 0; index < count; index += 1) {
    const size = leafSize(record, tuple);
    addOrReplaceTuple(page, record, tuple, size, view.getUint16(slotsAt + index * slotSize, true));
    tuple += size;
  }
}

/** What a scan may still come for finds a redirect; during a build there is no such scan. */
function removeLeafs(page: DataView, record: BlockRecord, newHead: number): void {
  ensureSpgistPage(page);
  const { view, main } = record;
  const count = SpgistMoveLeafs.moveCount.get(view, main);
  const isBuild = SpgistMoveLeafs.isBuild.get(view, main) !== 0;
  replaceByDead(page, readSlots(view, main + SpgistMoveLeafs.size, count), {
    first: isBuild ? tupleStates.placeholder : tupleStates.redirect,
    rest: tupleStates.placeholder,
    xid: SpgistMoveLeafs.redirectXid.get(view, main),
    block: record.blockNumber(1),
    slot: newHead,
  });
}

/**
 * `spgRedoAddNode`. Blocks: 0 where the inner tuple was, 1 where it goes if it does not stay, 2 the
 * parent's if it is neither.
 */
function redoAddNode(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, SpgistAddNode.size);
  const { view, main } = record;
  const tuple = main + SpgistAddNode.size;
  const size = innerSize(record, tuple);
  const isMoved = record.hasBlock(1);
  if (record.blockId === 1 && SpgistAddNode.newPage.get(view, main) !== 0) initSpgistPage(page, 0);
  else ensureSpgistPage(page);

  const slot = SpgistAddNode.slot.get(view, main);
  if (record.blockId === 0 && isMoved) leaveInner(page, record);
  else if (record.blockId === 0) replaceTuple(page, record, tuple, size, slot);
  else if (record.blockId === 1) {
    addOrReplaceTuple(page, record, tuple, size, SpgistAddNode.newSlot.get(view, main));
  }
  if (isMoved && SpgistAddNode.parentBlock.get(view, main) === record.blockId)
    linkMovedInner(page, record);
  PageHeader.lsn.set(page, 0, record.end);
}

/** The tuple's old slot leads to its new one. */
function leaveInner(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const isBuild = SpgistAddNode.isBuild.get(view, main) !== 0;
  const state = isBuild ? tupleStates.placeholder : tupleStates.redirect;
  const slot = SpgistAddNode.slot.get(view, main);
  const by: Replacement = {
    first: state,
    rest: state,
    xid: SpgistAddNode.redirectXid.get(view, main),
    block: record.blockNumber(1),
    slot: SpgistAddNode.newSlot.get(view, main),
  };
  indexTupleDelete(page, slot);
  addDead(page, slot, state, by);
}

function linkMovedInner(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const slot = SpgistAddNode.parentSlot.get(view, main);
  const node = SpgistAddNode.node.get(view, main);
  const newSlot = SpgistAddNode.newSlot.get(view, main);
  updateNodeLink(page, { slot, node }, record.blockNumber(1), newSlot);
}

/** `spgRedoSplitTuple`. Blocks: 0 the inner tuple's, 1 its lower part's if that is elsewhere. */
function redoSplitTuple(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, SpgistSplitTuple.size);
  const { view, main } = record;
  const prefix = main + SpgistSplitTuple.size;
  const prefixSize = innerSize(record, prefix);
  const postfix = prefix + prefixSize;
  const postfixSize = innerSize(record, postfix);
  const postfixSlot = SpgistSplitTuple.postfixSlot.get(view, main);
  const isNew = record.blockId === 1 && SpgistSplitTuple.newPage.get(view, main) !== 0;
  if (isNew) initSpgistPage(page, 0);
  else ensureSpgistPage(page);

  if (record.blockId === 0)
    replaceTuple(page, record, prefix, prefixSize, SpgistSplitTuple.prefixSlot.get(view, main));
  if (record.blockId === 1 || SpgistSplitTuple.samePage.get(view, main) !== 0)
    addOrReplaceTuple(page, record, postfix, postfixSize, postfixSlot);
  PageHeader.lsn.set(page, 0, record.end);
}

/** A leaf page that the record makes anew, or one that must be there. */
function prepareLeafPage(page: DataView, isNew: boolean, storesNulls: boolean): void {
  if (isNew) initSpgistPage(page, spgistFlags.leaf | (storesNulls ? spgistFlags.nulls : 0));
  else ensureSpgistPage(page);
}
