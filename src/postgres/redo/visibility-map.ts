/**
 * The visibility map: two bits per heap block, all-visible and all-frozen
 * (src/backend/access/heap/visibilitymap.c), and the two deltas of ours that change its pages.
 *
 * Setting bits is a WAL record; clearing them is only implied by heap records and truncations, so
 * ingest spells it out as a value on the map's own page:
 *
 * ```
 * visibilityClear     4 | 1 | u8 bits | pad | u32 heap block | u32 second heap block or 2^32 - 1
 * visibilityTruncate  4 | 2 | pad 2 | u32 heap blocks that remain
 * ```
 *
 * Both heap blocks of a `visibilityClear` lie on the page it is stored for. Neither stamps the page:
 * Postgres does not either, and clears bits whatever the page's LSN.
 */
import { assert } from '../../base/assert.ts';
import { type Lsn } from '../../base/lsn.ts';
import { padding, struct, u32, u8 } from '../../base/struct.ts';
import { PageHeader, initPage, isNewPage, pageSize } from '../page.ts';
import { valueTags } from '../page-value.ts';
import { fillBytes } from './page-bytes.ts';

/** Delta kinds of relation pages; those of SLRU pages begin at 16 (slru.ts). */
export const pageDeltaKinds = {
  visibilityClear: 1,
  visibilityTruncate: 2,
  freeSpaceTruncate: 3,
  gistSplitFinished: 4,
} as const;

/** `VISIBILITYMAP_*`: the bits of one heap block. */
export const visibility = { allVisible: 1, allFrozen: 2, all: 3 } as const;

const VisibilityClear = struct(
  { tag: u8, kind: u8, bits: u8, pad: padding(1), first: u32, second: u32 },
  { size: 12 },
);
const VisibilityTruncate = struct(
  { tag: u8, kind: u8, pad: padding(2), heapBlocks: u32 },
  { size: 8 },
);

/** Sizes in bytes of the two values. */
export const visibilityClearSize = VisibilityClear.size;
export const visibilityTruncateSize = VisibilityTruncate.size;

/** Stands for a second heap block that is not there. */
export const noHeapBlock = 0xffff_ffff;
const blocksPerByte = 4;
const bitsPerBlock = 2;
/** `HEAPBLOCKS_PER_PAGE`: heap blocks that one page of the map covers. */
export const heapBlocksPerMapPage = (pageSize - PageHeader.size) * blocksPerByte;

/** The map block with the bits of a heap block. */
export function visibilityMapBlock(heapBlock: number): number {
  return Math.floor(heapBlock / heapBlocksPerMapPage);
}

/**
 * Writes the value that clears `bits` (of `visibility`) of one or two heap blocks; pass
 * `noHeapBlock` for a second that is not there. `visibilityClearSize` bytes must be free at `at`.
 */
// eslint-disable-next-line max-params -- called per record; a record of arguments would allocate
export function writeVisibilityClear(
  target: DataView,
  at: number,
  bits: number,
  first: number,
  second: number,
): void {
  const sameMapPage =
    second === noHeapBlock || visibilityMapBlock(first) === visibilityMapBlock(second);
  assert(sameMapPage, 'both heap blocks have their bits on one page of the map');
  VisibilityClear.tag.set(target, at, valueTags.delta);
  VisibilityClear.kind.set(target, at, pageDeltaKinds.visibilityClear);
  VisibilityClear.bits.set(target, at, bits);
  target.setUint8(at + VisibilityClear.pad.offset, 0);
  VisibilityClear.first.set(target, at, first);
  VisibilityClear.second.set(target, at, second);
}

/** Applies a `visibilityClear` value at `at` in `view`: `visibilitymap_clear`. */
export function applyVisibilityClear(page: DataView, view: DataView, at: number): void {
  const bits = VisibilityClear.bits.get(view, at);
  const second = VisibilityClear.second.get(view, at);
  clearBits(page, VisibilityClear.first.get(view, at), bits);
  if (second !== noHeapBlock) clearBits(page, second, bits);
}

/**
 * Writes the value for the last page of a map that is truncated with its heap: only bits of heap
 * blocks below `heapBlocks` stay. `visibilityTruncateSize` bytes must be free at `at`.
 */
export function writeVisibilityTruncate(target: DataView, at: number, heapBlocks: number): void {
  VisibilityTruncate.tag.set(target, at, valueTags.delta);
  VisibilityTruncate.kind.set(target, at, pageDeltaKinds.visibilityTruncate);
  target.setUint16(at + VisibilityTruncate.pad.offset, 0, true);
  VisibilityTruncate.heapBlocks.set(target, at, heapBlocks);
}

/** Applies a `visibilityTruncate` value: `visibilitymap_prepare_truncate`. */
export function applyVisibilityTruncate(page: DataView, view: DataView, at: number): void {
  const heapBlocks = VisibilityTruncate.heapBlocks.get(view, at);
  const last = mapByte(heapBlocks);
  const keep = (1 << mapShift(heapBlocks)) - 1;
  fillBytes(page, last + 1, pageSize, 0);
  page.setUint8(last, page.getUint8(last) & keep);
}

/**
 * `visibilitymap_set` in redo: adds the bits of `flags` for a heap block. As in Postgres, a page that
 * has them already is not stamped. Flags from 16 on also say that the relation is a catalog.
 */
export function setVisibility(page: DataView, heapBlock: number, flags: number, end: Lsn): void {
  if (isNewPage(page)) initPage(page, 0);
  const at = mapByte(heapBlock);
  const shift = mapShift(heapBlock);
  const bits = flags & visibility.all;
  const map = page.getUint8(at);
  if (((map >> shift) & visibility.all) === bits) return;
  page.setUint8(at, map | (bits << shift));
  PageHeader.lsn.set(page, 0, end);
}

function clearBits(page: DataView, heapBlock: number, bits: number): void {
  const at = mapByte(heapBlock);
  page.setUint8(at, page.getUint8(at) & ~(bits << mapShift(heapBlock)));
}

/** `HEAPBLK_TO_MAPBYTE`, as an offset in the page. */
function mapByte(heapBlock: number): number {
  return PageHeader.size + Math.floor((heapBlock % heapBlocksPerMapPage) / blocksPerByte);
}

/** `HEAPBLK_TO_OFFSET`. */
function mapShift(heapBlock: number): number {
  return (heapBlock % blocksPerByte) * bitsPerBlock;
}
