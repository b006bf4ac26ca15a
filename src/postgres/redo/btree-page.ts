/**
 * What a B-tree page is made of: the special space, the metapage, and posting lists
 * (src/include/access/nbtree.h).
 *
 * Tuples are addressed as (view, offset), so the same functions serve a page and a record.
 */
import { Failure } from '../../base/failure.ts';
import { f64, padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';
import { itemFlags, itemIdSize, maxAlign, setItem, slotCount } from '../page-items.ts';
import { IndexTuple, downLink, setDownLink, tidSize, tupleSizeMask } from './index-tuple.ts';
import { copyBytes } from './page-bytes.ts';

/** `BTPageOpaqueData`, the special space of every B-tree page. */
export const BtreeOpaque = struct(
  { previous: u32, next: u32, level: u32, flags: u16, cycleId: u16 },
  { size: 16 },
);

/** Where the special space begins. */
export const opaqueAt = pageSize - BtreeOpaque.size;

/** `btpo_flags`. */
export const btreeFlags = {
  leaf: 0x0001,
  root: 0x0002,
  deleted: 0x0004,
  meta: 0x0008,
  halfDead: 0x0010,
  splitEnd: 0x0020,
  hasGarbage: 0x0040,
  incompleteSplit: 0x0080,
  hasFullXid: 0x0100,
} as const;

/** `BTMetaPageData`, the contents of block 0. */
export const BtreeMeta = struct(
  {
    magic: u32,
    version: u32,
    root: u32,
    level: u32,
    fastRoot: u32,
    fastLevel: u32,
    lastCleanupDeletedPages: u32,
    padding1: padding(4),
    lastCleanupHeapTuples: f64,
    allEqualImage: u8,
    padding2: padding(7),
  },
  { size: 48 },
);

export const btreeMagic = 0x0005_3162;
/** `P_NONE`: no sibling. Block 0 is the metapage, so it can stand for none. */
export const noSibling = 0;
/** `P_HIKEY`: the slot of the high key on a page that is not its level's rightmost. */
export const highKeySlot = 1;
/** `BTMaxItemSize`: three tuples and their heap TIDs must fit a page. */
export const tupleSizeMax = 2_704;

/** `INDEX_ALT_TID_MASK`: the TID field holds something else. */
const alternateTid = 0x2000;
/** `BT_IS_POSTING`, in the TID's position. */
const isPostingFlag = 0x2000;
const countMask = 0x0fff;

/** `_bt_pageinit`. */
export function initBtreePage(page: DataView): void {
  initPage(page, BtreeOpaque.size);
}

/** Fails unless the page is initialised and has a B-tree's special space. */
export function ensureBtreePage(page: DataView): void {
  const special = PageHeader.special.get(page, 0);
  // As an `if`: the values of a failure are built only when it happens.
  if (special !== opaqueAt)
    throw new Failure('redo_page_unexpected', { special, expected: opaqueAt });
}

/** `P_RIGHTMOST`: the last page of its level, which has no high key. */
export function isRightmost(page: DataView): boolean {
  return BtreeOpaque.next.get(page, opaqueAt) === noSibling;
}

/** `P_FIRSTDATAKEY`. */
export function firstDataSlot(page: DataView): number {
  return isRightmost(page) ? highKeySlot : highKeySlot + 1;
}

/** `BTreeTupleIsPosting`. */
export function isPosting(view: DataView, at: number): boolean {
  const alternate = (IndexTuple.info.get(view, at) & alternateTid) !== 0;
  return alternate && (IndexTuple.position.get(view, at) & isPostingFlag) !== 0;
}

/** `BTreeTupleGetNPosting`: TIDs in the tuple's list. */
export function postingCount(view: DataView, at: number): number {
  return IndexTuple.position.get(view, at) & countMask;
}

/** `BTreeTupleGetPostingOffset`: bytes of the tuple before its list. */
export function postingOffset(view: DataView, at: number): number {
  return downLink(view, at);
}

/**
 * Makes the tuple at `at`, whose key is `keySize` bytes, one that has room for `count` TIDs: a
 * posting list tuple, or with one TID a plain tuple. The TIDs themselves are the caller's.
 */
export function formPosting(view: DataView, at: number, keySize: number, count: number): void {
  const info = IndexTuple.info.get(view, at) & ~tupleSizeMask & ~alternateTid;
  const size = postingSize(keySize, count);
  IndexTuple.info.set(view, at, count > 1 ? info | alternateTid | size : info | size);
  if (count <= 1) return;
  IndexTuple.position.set(view, at, count | isPostingFlag);
  setDownLink(view, at, keySize);
}

/** Size in bytes of a tuple with a key of `keySize` bytes and `count` TIDs. */
export function postingSize(keySize: number, count: number): number {
  return count > 1 ? maxAlign(keySize + count * tidSize) : keySize;
}

/** The dummy high key of a half-dead leaf: no attributes, only the top parent (`topparent`). */
export function addTopParent(page: DataView, topParent: number): void {
  const at = appendSlot(page, IndexTuple.size);
  setDownLink(page, at, topParent);
  IndexTuple.position.set(page, at, 0);
  IndexTuple.info.set(page, at, IndexTuple.size | alternateTid);
}

/** `PageAddItem` behind the last slot: makes room for `size` bytes and returns their offset. */
export function appendSlot(page: DataView, size: number): number {
  const lower = PageHeader.lower.get(page, 0) + itemIdSize;
  const upper = PageHeader.upper.get(page, 0) - maxAlign(size);
  if (lower > upper) throw new Failure('page_full', { size });
  PageHeader.lower.set(page, 0, lower);
  PageHeader.upper.set(page, 0, upper);
  setItem(page, slotCount(page), upper, itemFlags.normal, size);
  return upper;
}

/** Appends a copy of `size` bytes of `source`. Returns where on the page they are. */
export function appendItem(page: DataView, source: DataView, from: number, size: number): number {
  const at = appendSlot(page, size);
  copyBytes(page, at, source, from, size);
  return at;
}
