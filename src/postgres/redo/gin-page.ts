/**
 * What a GIN page is made of: the special space, the metapage, and the posting items that lead from
 * an inner page of a posting tree to its children (src/include/access/ginblock.h, ginutil.c,
 * gindatapage.c). Leaves of posting trees are gin-leaf.ts's.
 */
import { Failure, ensure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u64 } from '../../base/struct.ts';
import { PageHeader, initPage, pageSize } from '../page.ts';
import { copyBytes } from './page-bytes.ts';

/** `GinPageOpaqueData`, the special space of every GIN page. */
export const GinOpaque = struct({ rightLink: u32, itemCount: u16, flags: u16 }, { size: 8 });

/** Where the special space begins. */
export const ginOpaqueAt = pageSize - GinOpaque.size;

/** `GinPageOpaqueData.flags`. */
export const ginFlags = {
  data: 0x0001,
  leaf: 0x0002,
  deleted: 0x0004,
  meta: 0x0008,
  list: 0x0010,
  listFullRow: 0x0020,
  incompleteSplit: 0x0040,
  compressed: 0x0080,
} as const;

/** `GinMetaPageData`, the contents of block 0. */
export const GinMeta = struct(
  {
    head: u32,
    tail: u32,
    tailFreeSize: u32,
    pendingPages: u32,
    pendingHeapTuples: u64,
    totalPages: u32,
    entryPages: u32,
    dataPages: u32,
    padding1: padding(4),
    entries: u64,
    version: u32,
    padding2: padding(4),
  },
  { size: 56 },
);

/** `PostingItem`: a child, and the greatest TID it may have. */
export const PostingItem = struct(
  { childHigh: u16, childLow: u16, keyHigh: u16, keyLow: u16, keyPosition: u16 },
  { size: 10 },
);

/** `InvalidBlockNumber`: no page to the right. */
export const noRightLink = 0xffff_ffff;
/**
 * `GinDataPageGetData`: where the contents of a posting tree's page begin. Before them is the right
 * bound: the greatest TID the page may have, aligned.
 */
export const ginDataAt = PageHeader.size + 8;
/** `GinDataPageMaxDataSize`, in bytes. */
const dataSizeMax = ginOpaqueAt - ginDataAt;

/** `GinInitPage`. */
export function initGinPage(page: DataView, flags: number): void {
  initPage(page, GinOpaque.size);
  GinOpaque.flags.set(page, ginOpaqueAt, flags);
  GinOpaque.rightLink.set(page, ginOpaqueAt, noRightLink);
}

/** `GinInitMetabuffer`, and then the `GinMetaPageData` that is at `from` in `view`. */
export function initGinMetapage(page: DataView, view: DataView, from: number): void {
  initGinPage(page, ginFlags.meta);
  copyBytes(page, PageHeader.size, view, from, GinMeta.size);
  PageHeader.lower.set(page, 0, PageHeader.size + GinMeta.size);
}

/** Fails unless the page is initialised and has GIN's special space. */
export function ensureGinPage(page: DataView): void {
  const special = PageHeader.special.get(page, 0);
  // As an `if`: the values of a failure are built only when it happens.
  if (special !== ginOpaqueAt)
    throw new Failure('redo_page_unexpected', { special, expected: ginOpaqueAt });
}

/** Fails unless the page is a GIN page whose flags under `mask` are `wanted`. */
export function ensureGinKind(page: DataView, mask: number, wanted: number): void {
  ensureGinPage(page);
  const flags = GinOpaque.flags.get(page, ginOpaqueAt);
  if ((flags & mask) !== wanted) throw new Failure('redo_page_unexpected', { flags, mask, wanted });
}

/** Fails unless the page is an inner page of a posting tree. */
export function ensurePostingInner(page: DataView): void {
  ensureGinKind(page, ginFlags.data | ginFlags.leaf, ginFlags.data);
}

/** `GinDataPageSetDataSize`: the contents of a posting tree's page are so many bytes. */
export function setGinDataSize(page: DataView, size: number): void {
  if (size > dataSizeMax) throw new Failure('page_full', { size });
  PageHeader.lower.set(page, 0, ginDataAt + size);
}

/**
 * `GinDataPageAddPostingItem`, and before it `PostingItemSetBlockNumber`: the child behind `slot` was
 * split. The new item, at `from` in `view`, goes before it for the left half; the old item keeps its
 * key and leads to the right one.
 */
// eslint-disable-next-line max-params -- an item, its place and the block beside it
export function addPostingItem(
  page: DataView,
  slot: number,
  rightChild: number,
  view: DataView,
  from: number,
): void {
  const count = postingItemCount(page);
  ensurePostingSlot(slot, count);
  const size = (count + 1) * PostingItem.size;
  ensure(size <= dataSizeMax, 'page_full', { count });
  const at = postingItemAt(slot);
  PostingItem.childHigh.set(page, at, rightChild >>> 16);
  PostingItem.childLow.set(page, at, rightChild & 0xffff);
  moveItems(page, slot + 1, slot, count);
  copyBytes(page, at, view, from, PostingItem.size);
  setItemCount(page, count + 1);
}

/** `GinPageDeletePostingItem`. */
export function deletePostingItem(page: DataView, slot: number): void {
  const count = postingItemCount(page);
  ensurePostingSlot(slot, count);
  moveItems(page, slot, slot + 1, count);
  setItemCount(page, count - 1);
}

function postingItemCount(page: DataView): number {
  const count = GinOpaque.itemCount.get(page, ginOpaqueAt);
  ensure(count * PostingItem.size <= dataSizeMax, 'redo_page_unexpected', { count });
  return count;
}

function setItemCount(page: DataView, count: number): void {
  GinOpaque.itemCount.set(page, ginOpaqueAt, count);
  setGinDataSize(page, count * PostingItem.size);
}

function ensurePostingSlot(slot: number, count: number): void {
  ensure(slot >= 1 && slot <= count, 'page_slot_missing', { slot, slots: count });
}

/** Moves the items from slot `from` to the last, `count`, so that they begin at slot `target`. */
function moveItems(page: DataView, target: number, from: number, count: number): void {
  const bytes = new Uint8Array(page.buffer, page.byteOffset, pageSize);
  bytes.copyWithin(postingItemAt(target), postingItemAt(from), postingItemAt(count + 1));
}

function postingItemAt(slot: number): number {
  return ginDataAt + (slot - 1) * PostingItem.size;
}
