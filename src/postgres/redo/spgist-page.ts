/**
 * What an SP-GiST page and its tuples look like (src/include/access/spgist_private.h), and the
 * changes to them that more than one record makes (spgdoinsert.c, spgxlog.c).
 *
 * Inner and leaf tuples stand on pages of their own kind. A tuple that goes leaves a dead one in its
 * slot, which others may point at: a redirect to where it went, or a placeholder that may be used
 * again. Tuples in records are not aligned.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { bytes, i32, padding, struct, u16, u32 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';
import {
  ensureSlot,
  indexMultiDelete,
  indexTupleDelete,
  itemLength,
  itemOffset,
  placement,
  reserveItem,
  slotCount,
} from '../page-items.ts';
import { type BlockRecord } from '../page-value.ts';
import { IndexTuple, setDownLink, tupleSize } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';

/** `SpGistPageOpaqueData`, the special space of every SP-GiST page. */
export const SpgistOpaque = struct(
  { flags: u16, redirectCount: u16, placeholderCount: u16, pageId: u16 },
  { size: 8 },
);
/** `SpGistLastUsedPage`. */
export const SpgistLastUsed = struct({ block: u32, freeSpace: i32 }, { size: 8 });
/** `SpGistMetaPageData`, the contents of block 0. */
export const SpgistMeta = struct(
  { magic: u32, lastUsed: bytes(8 * SpgistLastUsed.size) },
  { size: 68 },
);
/** `SpGistInnerTupleData`. `bits`: state (2), all the same (1), nodes (13), prefix size (16). */
export const SpgistInner = struct({ bits: u32, tupleSize: u16, padding: padding(2) }, { size: 8 });
/** `SpGistLeafTupleData` up to the heap TID. `bits`: state (2), size (30). */
export const SpgistLeaf = struct({ bits: u32, info: u16, heapTid: bytes(6) }, { size: 12 });
/** `SpGistDeadTupleData`, whose first two fields are a leaf tuple's. */
export const SpgistDead = struct(
  { bits: u32, info: u16, blockHigh: u16, blockLow: u16, position: u16, xid: u32 },
  { size: 16 },
);

/** Where the special space begins. */
const opaqueAt = pageSize - SpgistOpaque.size;
/** `SPGIST_PAGE_ID`. */
const spgistPageId = 0xff82;
/** `SpGistPageOpaqueData.flags`. */
export const spgistFlags = { meta: 0x01, leaf: 0x04, nulls: 0x08 } as const;
/** `tupstate`, the two lowest bits of every tuple. */
export const tupleStates = { live: 0, redirect: 1, dead: 2, placeholder: 3 } as const;
const stateMask = 3;
/** The part of a leaf tuple's `info` that links to the next tuple of its chain. */
const nextSlotMask = 0x3fff;
const noBlock = 0xffff_ffff;
const noSlot = 0;

const deadTuple = new DataView(new ArrayBuffer(SpgistDead.size));

/** `SpGistInitPage`. */
export function initSpgistPage(page: DataView, flags: number): void {
  initPage(page, SpgistOpaque.size);
  SpgistOpaque.flags.set(page, opaqueAt, flags);
  SpgistOpaque.pageId.set(page, opaqueAt, spgistPageId);
}

/** Fails unless the page is initialised and has an SP-GiST page's special space. */
export function ensureSpgistPage(page: DataView): void {
  const special = PageHeader.special.get(page, 0);
  if (special !== opaqueAt)
    throw new Failure('redo_page_unexpected', { special, expected: opaqueAt });
}

/** The page's `spgistFlags`. */
export function spgistFlagsOf(page: DataView): number {
  return SpgistOpaque.flags.get(page, opaqueAt);
}

/** Adds to the page's count of redirects and of placeholders. */
export function countDead(page: DataView, redirects: number, placeholders: number): void {
  const { redirectCount, placeholderCount } = SpgistOpaque;
  redirectCount.set(page, opaqueAt, redirectCount.get(page, opaqueAt) + redirects);
  placeholderCount.set(page, opaqueAt, placeholderCount.get(page, opaqueAt) + placeholders);
}

/** `tupstate` of the tuple at `at`. */
export function tupleState(page: DataView, at: number): number {
  return SpgistLeaf.bits.get(page, at) & stateMask;
}

/** The size of the leaf tuple at `at` in the record's main data, which must hold all of it. */
export function leafSize(record: BlockRecord, at: number): number {
  const isWhole = at + SpgistLeaf.size <= record.main + record.mainSize;
  return sizeWithin(record, at, isWhole ? SpgistLeaf.bits.get(record.view, at) >>> 2 : 0);
}

/** The size of the inner tuple at `at` in the record's main data, which must hold all of it. */
export function innerSize(record: BlockRecord, at: number): number {
  const isWhole = at + SpgistInner.size <= record.main + record.mainSize;
  return sizeWithin(record, at, isWhole ? SpgistInner.tupleSize.get(record.view, at) : 0);
}

function sizeWithin(record: BlockRecord, at: number, size: number): number {
  if (size < SpgistInner.size || at + size > record.main + record.mainSize)
    throw new Failure('redo_record_malformed', { tupleAt: at - record.main, size });
  return size;
}

/** Adds `size` bytes at `at` in the record as the tuple of `slot`, moving up those behind. */
// eslint-disable-next-line max-params -- a tuple of a record and its slot, on a hot path
function addTuple(
  page: DataView,
  record: BlockRecord,
  at: number,
  size: number,
  slot: number,
): void {
  const target = reserveItem(page, slot, size, placement.shuffle);
  copyBytes(page, target, record.view, at, size);
}

/** `addOrReplaceTuple`: as `addTuple`, but a tuple that is there is a placeholder, and goes. */
// eslint-disable-next-line max-params -- as addTuple
export function addOrReplaceTuple(
  page: DataView,
  record: BlockRecord,
  at: number,
  size: number,
  slot: number,
): void {
  if (slot <= slotCount(page)) {
    ensureSlot(page, slot);
    const state = tupleState(page, itemOffset(page, slot));
    if (state !== tupleStates.placeholder)
      throw new Failure('redo_page_unexpected', { slot, state });
    countDead(page, 0, -1);
    indexTupleDelete(page, slot);
  }
  addTuple(page, record, at, size, slot);
}

/** Another tuple in the place of what `slot` has. */
// eslint-disable-next-line max-params -- as addTuple
export function replaceTuple(
  page: DataView,
  record: BlockRecord,
  at: number,
  size: number,
  slot: number,
): void {
  indexTupleDelete(page, slot);
  addTuple(page, record, at, size, slot);
}

/** What stands in for tuples that go. */
export interface Replacement {
  /** State of the one that replaces the first tuple listed, and of all others. */
  readonly first: number;
  readonly rest: number;
  /** Of a redirect: who made it, and where it leads. */
  readonly xid: number;
  readonly block: number;
  readonly slot: number;
}

/** A `Replacement` by tuples of one state that lead nowhere. */
export function deadAs(state: number): Replacement {
  return { first: state, rest: state, xid: 0, block: noBlock, slot: noSlot };
}

/** `spgPageIndexMultiDelete`: the slots stay, with dead tuples in them. */
export function replaceByDead(page: DataView, slots: readonly number[], by: Replacement): void {
  if (slots.length === 0) return;
  const first = slots[0]!;
  const sorted = slots.toSorted((a, b) => a - b);
  indexMultiDelete(page, sorted);
  for (const slot of sorted) addDead(page, slot, slot === first ? by.first : by.rest, by);
}

/** Adds a dead tuple and counts it (`spgFormDeadTuple`). */
export function addDead(page: DataView, slot: number, state: number, by: Replacement): void {
  const isRedirect = state === tupleStates.redirect;
  SpgistDead.bits.set(deadTuple, 0, state | (SpgistDead.size << 2));
  setDeadTarget(deadTuple, 0, isRedirect ? by.block : noBlock, isRedirect ? by.slot : noSlot);
  SpgistDead.xid.set(deadTuple, 0, isRedirect ? by.xid : 0);
  const target = reserveItem(page, slot, SpgistDead.size, placement.shuffle);
  copyBytes(page, target, deadTuple, 0, SpgistDead.size);
  countDead(page, isRedirect ? 1 : 0, state === tupleStates.placeholder ? 1 : 0);
}

/** A redirect at `at` becomes a placeholder; who made it stays. */
export function redirectToPlaceholder(page: DataView, at: number): void {
  SpgistDead.bits.set(page, at, (SpgistDead.bits.get(page, at) | tupleStates.placeholder) >>> 0);
  setDeadTarget(page, at, noBlock, noSlot);
}

function setDeadTarget(view: DataView, at: number, block: number, slot: number): void {
  SpgistDead.blockHigh.set(view, at, block >>> 16);
  SpgistDead.blockLow.set(view, at, block & 0xffff);
  SpgistDead.position.set(view, at, slot);
}

/** `SGLT_SET_NEXTOFFSET` of the leaf tuple in `slot`. */
export function setNextSlot(page: DataView, slot: number, next: number): void {
  ensureSlot(page, slot);
  const at = itemOffset(page, slot);
  const info = SpgistLeaf.info.get(page, at) & ~nextSlotMask;
  SpgistLeaf.info.set(page, at, info | (next & nextSlotMask));
}

/** Which node of which inner tuple. */
export interface NodePlace {
  readonly slot: number;
  readonly node: number;
}

/** `spgUpdateNodeLink`: a node of an inner tuple now leads to `slot` of `block`. */
export function updateNodeLink(
  page: DataView,
  { slot: parent, node }: NodePlace,
  block: number,
  slot: number,
): void {
  ensureSlot(page, parent);
  const tuple = itemOffset(page, parent);
  const end = tuple + itemLength(page, parent);
  const bits = SpgistInner.bits.get(page, tuple);
  const nodes = (bits >>> 3) & 0x1fff;
  ensure(node < nodes, 'redo_page_unexpected', { slot: parent, node, nodes });

  let at = tuple + SpgistInner.size + (bits >>> 16);
  for (let index = 0; index < node && at + IndexTuple.size <= end; index += 1)
    at += tupleSize(page, at);
  ensure(at + IndexTuple.size <= end, 'redo_page_unexpected', { slot: parent, node });
  setDownLink(page, at, block);
  IndexTuple.position.set(page, at, slot);
}
