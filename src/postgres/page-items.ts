/**
 * Items: the line pointers of a page and the tuples they point at
 * (src/include/storage/itemid.h, src/backend/storage/page/bufpage.c).
 *
 * Slots are numbered from 1, as Postgres's offset numbers are. Every function leaves the same bytes
 * as its C namesake, the free space in the middle of the page included: rebuilt pages are compared
 * with Postgres's own. A page whose header or line pointers cannot be right is a `corrupt` failure,
 * and is then left as it was.
 */
import { ensure } from '../base/failure.ts';
import { PageHeader, pageFlags, pageSize } from './page.ts';
import { copyBytes } from './redo/page-bytes.ts';

/** Size in bytes of an `ItemIdData`: offset (15 bits), flags (2 bits), length (15 bits). */
export const itemIdSize = 4;
/** `lp_flags`. */
export const itemFlags = { unused: 0, normal: 1, redirect: 2, dead: 3 } as const;
/** How `reserveItem` treats the slot it is given: `PAI_OVERWRITE` and `PAI_IS_HEAP`, added up. */
export const placement = { shuffle: 0, overwrite: 1, heap: 2 } as const;
/** `MaxHeapTuplesPerPage`. */
const heapSlotsMax = 291;
/** `InvalidOffsetNumber`. */
export const noSlot = 0;

const scratch = new DataView(new ArrayBuffer(pageSize));
const scratchBytes = new Uint8Array(scratch.buffer);

/** `MAXALIGN`. */
export function maxAlign(size: number): number {
  return (size + 7) & ~7;
}

/** `PageGetMaxOffsetNumber`: line pointers on the page, used or not. */
export function slotCount(page: DataView): number {
  const lower = PageHeader.lower.get(page, 0);
  return lower <= PageHeader.size ? 0 : (lower - PageHeader.size) >>> 2;
}

/** Offset in the page of slot `slot`'s line pointer. */
function itemIdAt(slot: number): number {
  return PageHeader.size + (slot - 1) * itemIdSize;
}

/** The slot whose line pointer is at `at`. */
function slotAt(at: number): number {
  return (at - PageHeader.size) / itemIdSize + 1;
}

/** `lp_off`: where the tuple starts; for a redirect, the slot it leads to. */
export function itemOffset(page: DataView, slot: number): number {
  return offsetIn(page.getUint32(itemIdAt(slot), true));
}

/** `lp_flags`: one of `itemFlags`. */
export function itemFlagsOf(page: DataView, slot: number): number {
  return flagsIn(page.getUint32(itemIdAt(slot), true));
}

/** `lp_len`: the tuple's size in bytes; 0 when it has no storage. */
export function itemLength(page: DataView, slot: number): number {
  return lengthIn(page.getUint32(itemIdAt(slot), true));
}

function offsetIn(item: number): number {
  return item & 0x7fff;
}

function flagsIn(item: number): number {
  return (item >>> 15) & 3;
}

function lengthIn(item: number): number {
  return item >>> 17;
}

/** `ItemIdIsUsed`. */
function itemIsUsed(page: DataView, slot: number): boolean {
  return itemFlagsOf(page, slot) !== itemFlags.unused;
}

/** `ItemIdIsNormal`. */
export function itemIsNormal(page: DataView, slot: number): boolean {
  return itemFlagsOf(page, slot) === itemFlags.normal;
}

/** Writes all three fields of a line pointer. */
// eslint-disable-next-line max-params -- the three fields of the line pointer, on a hot path
export function setItem(
  page: DataView,
  slot: number,
  offset: number,
  flags: number,
  length: number,
): void {
  page.setUint32(itemIdAt(slot), offset | (flags << 15) | (length << 17), true);
}

/** `ItemIdSetUnused`. */
export function setItemUnused(page: DataView, slot: number): void {
  setItem(page, slot, 0, itemFlags.unused, 0);
}

/** `ItemIdSetRedirect`. */
export function setItemRedirect(page: DataView, slot: number, target: number): void {
  setItem(page, slot, target, itemFlags.redirect, 0);
}

/** `ItemIdSetDead`: also forgets the storage. */
export function setItemDead(page: DataView, slot: number): void {
  setItem(page, slot, 0, itemFlags.dead, 0);
}

/** `ItemIdMarkDead`: the index tuple keeps its storage. */
export function markItemDead(page: DataView, slot: number): void {
  setItem(page, slot, itemOffset(page, slot), itemFlags.dead, itemLength(page, slot));
}

/** Fails unless slot `slot` exists on the page. */
export function ensureSlot(page: DataView, slot: number): void {
  ensure(slot >= 1 && slot <= slotCount(page), 'page_slot_missing', {
    slot,
    slots: slotCount(page),
  });
}

/**
 * `PageAddItemExtended` without the copy: makes room for an item of `size` bytes and returns the
 * offset at which the caller must write all of them.
 *
 * With `placement.overwrite`, `slot` must be unused or one past the last; with `placement.shuffle`,
 * later slots move up by one. `noSlot` takes the first unused slot. Add `placement.heap` for the
 * limit heap pages have. Fails with `page_full`, `page_slot_in_use`, `page_slot_missing`.
 */
export function reserveItem(page: DataView, slot: number, size: number, how: number): number {
  ensurePageHeader(page);
  const limit = slotCount(page) + 1;
  const chosen = slot === noSlot ? findFreeSlot(page, limit) : slot;
  const overwrite = slot !== noSlot && (how & placement.overwrite) !== 0;
  const used = chosen < limit && (itemIsUsed(page, chosen) || itemLength(page, chosen) !== 0);
  ensure(!overwrite || !used, 'page_slot_in_use', { slot: chosen });
  ensure(chosen <= limit, 'page_slot_missing', { slot: chosen, slots: limit - 1 });
  ensure((how & placement.heap) === 0 || chosen <= heapSlotsMax, 'page_full', { slot: chosen });

  const shuffle = slot !== noSlot && !overwrite && chosen < limit;
  const grows = chosen === limit || shuffle;
  const lower = PageHeader.lower.get(page, 0) + (grows ? itemIdSize : 0);
  const upper = PageHeader.upper.get(page, 0) - maxAlign(size);
  ensure(lower <= upper, 'page_full', { slot: chosen, size });

  if (shuffle) movePageBytes(page, itemIdAt(chosen + 1), itemIdAt(chosen), itemIdAt(limit));
  setItem(page, chosen, upper, itemFlags.normal, size);
  PageHeader.lower.set(page, 0, lower);
  PageHeader.upper.set(page, 0, upper);
  return upper;
}

/** `PageAddItemExtended`: `reserveItem`, then copies `item` there. */
export function addItem(page: DataView, slot: number, item: Uint8Array, how: number): void {
  const at = reserveItem(page, slot, item.length, how);
  pageBytes(page).set(item, at);
}

/** First unused slot if the page says it has one, else `limit`. Resets a wrong hint. */
function findFreeSlot(page: DataView, limit: number): number {
  if ((PageHeader.flags.get(page, 0) & pageFlags.hasFreeLines) === 0) return limit;
  for (let slot = 1; slot < limit; slot += 1)
    if (!itemIsUsed(page, slot) && itemLength(page, slot) === 0) return slot;
  setHasFreeLines(page, false);
  return limit;
}

/** `PageIndexTupleDelete`: removes the tuple and its line pointer. */
export function indexTupleDelete(page: DataView, slot: number): void {
  ensureItem(page, slot);
  const offset = itemOffset(page, slot);
  const size = maxAlign(itemLength(page, slot));
  const lower = PageHeader.lower.get(page, 0);
  movePageBytes(page, itemIdAt(slot), itemIdAt(slot + 1), lower);
  PageHeader.lower.set(page, 0, lower - itemIdSize);
  closeGap(page, offset, size);
}

/** `PageIndexTupleDeleteNoCompact`: removes the tuple; its slot stays, unless it is the last. */
export function indexTupleDeleteNoCompact(page: DataView, slot: number): void {
  ensureItem(page, slot);
  const offset = itemOffset(page, slot);
  const size = maxAlign(itemLength(page, slot));
  if (slot < slotCount(page)) setItemUnused(page, slot);
  else PageHeader.lower.set(page, 0, PageHeader.lower.get(page, 0) - itemIdSize);
  closeGap(page, offset, size);
}

/** `PageIndexMultiDelete`: `slots` must be in ascending order. */
export function indexMultiDelete(page: DataView, slots: readonly number[]): void {
  if (slots.length <= 2) {
    for (let index = slots.length - 1; index >= 0; index -= 1)
      indexTupleDelete(page, slots[index]!);
    return;
  }
  ensurePageHeader(page);
  ensureDeletable(page, slots);
  let kept = 0;
  let next = 0;
  const count = slotCount(page);
  for (let slot = 1; slot <= count; slot += 1) {
    if (slot === slots[next]) {
      next += 1;
      continue;
    }
    kept += 1;
    page.setUint32(itemIdAt(kept), page.getUint32(itemIdAt(slot), true), true);
  }
  PageHeader.lower.set(page, 0, itemIdAt(kept + 1));
  compactTuples(page, false);
}

/**
 * `PageIndexTupleOverwrite`: replaces a tuple where it stands, moving the tuples before it when the
 * size differs; the line pointer keeps its flags. Fails with `page_full` when there is no room.
 */
export function indexTupleOverwrite(page: DataView, slot: number, tuple: Uint8Array): void {
  ensureItem(page, slot);
  const offset = itemOffset(page, slot);
  const lower = PageHeader.lower.get(page, 0);
  const upper = PageHeader.upper.get(page, 0);
  const shrink = maxAlign(itemLength(page, slot)) - maxAlign(tuple.length);
  ensure(-shrink <= upper - lower, 'page_full', { slot, size: tuple.length });

  if (shrink !== 0) closeGap(page, offset, shrink);
  setItem(page, slot, offset + shrink, itemFlagsOf(page, slot), tuple.length);
  pageBytes(page).set(tuple, offset + shrink);
}

/**
 * `PageRepairFragmentation`, for heap pages after pruning: closes the gaps, drops unused line
 * pointers at the end, sets or clears the has-free-lines hint.
 */
export function repairFragmentation(page: DataView): void {
  ensurePageHeader(page);
  const end = itemIdAt(slotCount(page) + 1);
  const upper = PageHeader.upper.get(page, 0);
  const special = PageHeader.special.get(page, 0);
  let unused = 0;
  let dirty = 0;
  let usedEnd = itemIdAt(1);
  let total = 0;
  let sorted = true;
  let below = special;
  // Every pruning comes here, on pages of up to 291 slots: so slots are walked by their offsets.
  for (let at = itemIdAt(1); at < end; at += itemIdSize) {
    const item = page.getUint32(at, true);
    if (flagsIn(item) === itemFlags.unused) {
      unused += 1;
      dirty |= item;
      continue;
    }
    usedEnd = at + itemIdSize;
    const length = lengthIn(item);
    if (length === 0) continue;
    const offset = offsetIn(item);
    if (offset < upper || offset + length > special) ensureStorage(page, slotAt(at));
    const size = maxAlign(length);
    total += size;
    if (offset + size > below) sorted = false;
    below = offset;
  }
  ensureRoom(page, total);

  if (dirty !== 0) clearUnused(page, end);
  compactTuples(page, sorted);
  if (usedEnd !== end) PageHeader.lower.set(page, 0, usedEnd);
  setHasFreeLines(page, unused > (end - usedEnd) / itemIdSize);
}

/** An unused line pointer is all zeros. */
function clearUnused(page: DataView, end: number): void {
  for (let at = itemIdAt(1); at < end; at += itemIdSize)
    if (flagsIn(page.getUint32(at, true)) === itemFlags.unused) page.setUint32(at, 0, true);
}

/**
 * `PageTruncateLinePointerArray`: drops unused line pointers at the end, but never the first; sets
 * the has-free-lines hint if an unused one is left.
 */
export function truncateLinePointers(page: DataView): void {
  const count = slotCount(page);
  let kept = count;
  while (kept > 1 && !itemIsUsed(page, kept)) kept -= 1;
  let unused = false;
  for (let slot = 1; slot <= kept && !unused; slot += 1) unused = !itemIsUsed(page, slot);
  if (kept < count) PageHeader.lower.set(page, 0, itemIdAt(kept + 1));
  setHasFreeLines(page, unused);
}

/** `PageGetHeapFreeSpace`: bytes there are for one more tuple; none when no slot is left for it. */
export function heapFreeSpace(page: DataView): number {
  ensurePageHeader(page);
  const gap = PageHeader.upper.get(page, 0) - PageHeader.lower.get(page, 0) - itemIdSize;
  const count = slotCount(page);
  if (gap <= 0 || count < heapSlotsMax) return Math.max(0, gap);
  const hasHint = (PageHeader.flags.get(page, 0) & pageFlags.hasFreeLines) !== 0;
  for (let slot = 1; hasHint && slot <= count; slot += 1) if (!itemIsUsed(page, slot)) return gap;
  return 0;
}

/** `PD_HAS_FREE_LINES`. */
function setHasFreeLines(page: DataView, has: boolean): void {
  const flags = PageHeader.flags.get(page, 0);
  const { hasFreeLines } = pageFlags;
  PageHeader.flags.set(page, 0, has ? flags | hasFreeLines : flags & ~hasFreeLines);
}

/**
 * Moves the tuples between the free space and `offset` up by `size` (down if negative), over the
 * gap of a tuple that stood at `offset`, and the line pointers up to it with them.
 */
function closeGap(page: DataView, offset: number, size: number): void {
  const upper = PageHeader.upper.get(page, 0);
  if (offset > upper) movePageBytes(page, upper + size, upper, offset);
  PageHeader.upper.set(page, 0, upper + size);
  const count = slotCount(page);
  for (let slot = 1; slot <= count; slot += 1) {
    const at = itemOffset(page, slot);
    const length = itemLength(page, slot);
    if (length !== 0 && at <= offset)
      setItem(page, slot, at + size, itemFlagsOf(page, slot), length);
  }
}

/**
 * `compactify_tuples`: packs all tuples to the end of the page, the first slot's last. Those that lie
 * one below the other, in the order of their slots, are a run that moves in one piece.
 *
 * `sorted` says that all lie so, but for gaps: then no move overwrites what another has yet to move,
 * and no copy of the page is needed.
 */
function compactTuples(page: DataView, sorted: boolean): void {
  const bytes = pageBytes(page);
  if (!sorted) scratchBytes.set(bytes);
  const end = itemIdAt(slotCount(page) + 1);
  let upper = PageHeader.special.get(page, 0);
  let from = upper;
  let to = upper;
  let size = 0;
  for (let at = itemIdAt(1); at < end; at += itemIdSize) {
    const item = page.getUint32(at, true);
    const length = lengthIn(item);
    if (length === 0) continue;
    const tupleSize = maxAlign(length);
    const offset = offsetIn(item);
    upper -= tupleSize;
    if (offset !== upper) page.setUint32(at, item - offset + upper, true);
    if (offset + tupleSize !== from) {
      if (sorted) bytes.copyWithin(to, from, from + size);
      else copyBytes(page, to, scratch, from, size);
      size = 0;
    }
    from = offset;
    to = upper;
    size += tupleSize;
  }
  if (sorted) bytes.copyWithin(to, from, from + size);
  else copyBytes(page, to, scratch, from, size);
  PageHeader.upper.set(page, 0, upper);
}

/** Fails with `page_header_invalid` unless the page's pointers are in order. */
function ensurePageHeader(page: DataView): void {
  const lower = PageHeader.lower.get(page, 0);
  const upper = PageHeader.upper.get(page, 0);
  const special = PageHeader.special.get(page, 0);
  const ordered = PageHeader.size <= lower && lower <= upper && upper <= special;
  const sane = ordered && special <= pageSize && special === maxAlign(special);
  ensure(sane, 'page_header_invalid', { lower, upper, special });
}

/** Fails unless the slot exists and its tuple lies, aligned, between `upper` and `special`. */
function ensureItem(page: DataView, slot: number): void {
  ensurePageHeader(page);
  ensureSlot(page, slot);
  ensureStorage(page, slot);
  ensure(itemOffset(page, slot) % 8 === 0, 'page_item_invalid', { slot });
}

function ensureStorage(page: DataView, slot: number): void {
  const offset = itemOffset(page, slot);
  const length = itemLength(page, slot);
  const inside =
    offset >= PageHeader.upper.get(page, 0) && offset + length <= PageHeader.special.get(page, 0);
  ensure(inside && length !== 0, 'page_item_invalid', { slot, offset, length });
}

/** Fails unless every item of an index page is sane and `slots` ascend and exist. */
function ensureDeletable(page: DataView, slots: readonly number[]): void {
  const count = slotCount(page);
  for (let slot = 1; slot <= count; slot += 1) ensureItem(page, slot);
  for (let index = 0; index < slots.length; index += 1) {
    const previous = index === 0 ? 0 : slots[index - 1]!;
    const slot = slots[index]!;
    ensure(slot > previous && slot <= count, 'page_slot_missing', { slot, slots: count });
  }
  ensureFits(page);
}

/** Fails unless the tuples of all slots together fit the page. */
function ensureFits(page: DataView): void {
  const count = slotCount(page);
  let total = 0;
  for (let slot = 1; slot <= count; slot += 1)
    if (itemIsUsed(page, slot)) total += maxAlign(itemLength(page, slot));
  ensureRoom(page, total);
}

function ensureRoom(page: DataView, total: number): void {
  const room = PageHeader.special.get(page, 0) - PageHeader.lower.get(page, 0);
  ensure(total <= room, 'page_item_invalid', { total, room });
}

/** `memmove` within the page: bytes [begin, end) to `target`. */
function movePageBytes(page: DataView, target: number, begin: number, end: number): void {
  pageBytes(page).copyWithin(target, begin, end);
}

function pageBytes(page: DataView): Uint8Array {
  return new Uint8Array(page.buffer, page.byteOffset, pageSize);
}
