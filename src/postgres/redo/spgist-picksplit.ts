/**
 * Redo of an SP-GiST picksplit (`spgRedoPickSplit` in src/backend/access/spgist/spgxlog.c): leaf
 * tuples of one chain that no longer fit their page become several chains, on that page and another,
 * below a new inner tuple.
 */
import { Failure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import { type BlockRecord } from '../page-value.ts';
import { ensureMain, readSlots, slotSize } from './record-data.ts';
import {
  addOrReplaceTuple,
  deadAs,
  ensureSpgistPage,
  initSpgistPage,
  innerSize,
  leafSize,
  replaceByDead,
  spgistFlags,
  tupleStates,
  updateNodeLink,
} from './spgist-page.ts';

/** `spgxlogPickSplit`; what follows is found by `insertsAt` and the functions after it. */
export const SpgistPickSplit = struct(
  {
    isRootSplit: u8,
    padding1: padding(1),
    deleteCount: u16,
    insertCount: u16,
    initSource: u8,
    initTarget: u8,
    innerSlot: u16,
    initInner: u8,
    storesNulls: u8,
    innerIsParent: u8,
    padding2: padding(1),
    parentSlot: u16,
    node: u16,
    padding3: padding(2),
    redirectXid: u32,
    isBuild: u8,
    padding4: padding(3),
  },
  { size: 28 },
);

/** The record's blocks; when the root is split, it is the inner page and there is no source. */
const blocks = { source: 0, target: 1, inner: 2, parent: 3 } as const;
const placeholders = deadAs(tupleStates.placeholder);

/** `spgRedoPickSplit`. */
export function redoPickSplit(page: DataView, record: BlockRecord): void {
  ensureMain(record, SpgistPickSplit.size);
  ensureMain(record, innerAt(record) - record.main);
  switch (record.blockId) {
    case blocks.source:
      splitSource(page, record);
      break;
    case blocks.target:
      preparePage(page, record, SpgistPickSplit.initTarget.get(record.view, record.main));
      insertLeafs(page, record);
      break;
    case blocks.inner:
      addInner(page, record);
      break;
    case blocks.parent:
      ensureSpgistPage(page);
      linkInner(page, record);
      break;
    default:
      throw new Failure('redo_record_malformed', { blockId: record.blockId, info: record.info });
  }
  PageHeader.lsn.set(page, 0, record.end);
}

/** Slots to insert at come after the slots to delete. */
function insertsAt({ view, main }: BlockRecord): number {
  return main + SpgistPickSplit.size + SpgistPickSplit.deleteCount.get(view, main) * slotSize;
}

/** Then, for each of them, a byte: whether it is on the target rather than the source page. */
function selectsAt(record: BlockRecord): number {
  return insertsAt(record) + insertCount(record) * slotSize;
}

/** Then the inner tuple, and after it the leaf tuples. */
function innerAt(record: BlockRecord): number {
  return selectsAt(record) + insertCount(record);
}

function insertCount({ view, main }: BlockRecord): number {
  return SpgistPickSplit.insertCount.get(view, main);
}

/** The page loses the chain, and gets back what is left of it. */
function splitSource(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const isNew = SpgistPickSplit.initSource.get(view, main);
  preparePage(page, record, isNew);
  if (isNew === 0) deleteLeafs(page, record);
  insertLeafs(page, record);
}

function preparePage(page: DataView, { view, main }: BlockRecord, isNew: number): void {
  if (isNew === 0) {
    ensureSpgistPage(page);
    return;
  }
  const storesNulls = SpgistPickSplit.storesNulls.get(view, main) !== 0;
  initSpgistPage(page, spgistFlags.leaf | (storesNulls ? spgistFlags.nulls : 0));
}

function deleteLeafs(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const count = SpgistPickSplit.deleteCount.get(view, main);
  const slots = readSlots(view, main + SpgistPickSplit.size, count);
  if (SpgistPickSplit.isBuild.get(view, main) !== 0) {
    replaceByDead(page, slots, placeholders);
    return;
  }
  replaceByDead(page, slots, {
    first: tupleStates.redirect,
    rest: tupleStates.placeholder,
    xid: SpgistPickSplit.redirectXid.get(view, main),
    block: record.blockNumber(blocks.inner),
    slot: SpgistPickSplit.innerSlot.get(view, main),
  });
}

/** The leaf tuples that go to this page: the source or the target. */
function insertLeafs(page: DataView, record: BlockRecord): void {
  const { view, blockId } = record;
  const slots = insertsAt(record);
  const selects = selectsAt(record);
  const count = insertCount(record);
  let tuple = innerAt(record);
  tuple += innerSize(record, tuple);
  for (let index = 0; index < count; index += 1) {
    const size = leafSize(record, tuple);
    const chosen = view.getUint8(selects + index) === 0 ? blocks.source : blocks.target;
    if (chosen === blockId)
      addOrReplaceTuple(page, record, tuple, size, view.getUint16(slots + index * slotSize, true));
    tuple += size;
  }
}

/** The page of the new inner tuple, which may be the parent's too. */
function addInner(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const nulls = SpgistPickSplit.storesNulls.get(view, main) !== 0 ? spgistFlags.nulls : 0;
  if (SpgistPickSplit.initInner.get(view, main) !== 0) initSpgistPage(page, nulls);
  else ensureSpgistPage(page);
  const tuple = innerAt(record);
  const slot = SpgistPickSplit.innerSlot.get(view, main);
  addOrReplaceTuple(page, record, tuple, innerSize(record, tuple), slot);
  if (SpgistPickSplit.innerIsParent.get(view, main) !== 0) linkInner(page, record);
}

function linkInner(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const slot = SpgistPickSplit.parentSlot.get(view, main);
  const node = SpgistPickSplit.node.get(view, main);
  const innerSlot = SpgistPickSplit.innerSlot.get(view, main);
  updateNodeLink(page, { slot, node }, record.blockNumber(blocks.inner), innerSlot);
}
