/**
 * The free-space map's pages: a binary tree of maxima over slots, one byte each: the category of a
 * heap block's room or, on an upper page, the maximum of the page below
 * (src/backend/storage/freespace/fsmpage.c, freespace.c); and the delta of ours that truncates one.
 *
 * ```
 * freeSpaceTruncate   4 | 3 | pad 2 | u32 slots that remain
 * ```
 *
 * The map is a hint that Postgres repairs by itself.
 */
import { assert } from '../../base/assert.ts';
import { padding, struct, u32, u8 } from '../../base/struct.ts';
import { PageHeader, initPage, isNewPage, pageSize } from '../page.ts';
import { heapFreeSpace } from '../page-items.ts';
import { valueTags } from '../page-value.ts';
import { fillBytes } from './page-bytes.ts';
import { pageDeltaKinds } from './visibility-map.ts';

const FreeSpaceTruncate = struct({ tag: u8, kind: u8, pad: padding(2), slots: u32 }, { size: 8 });

/** Size in bytes of the value. */
export const freeSpaceTruncateSize = FreeSpaceTruncate.size;

/** `fp_nodes`: after the page header and `fp_next_slot`. */
const nodesAt = PageHeader.size + 4;
const nodeCount = pageSize - nodesAt;
/** `NonLeafNodesPerPage`. */
const innerCount = pageSize / 2 - 1;
/** `SlotsPerFSMPage`: heap blocks that one bottom page covers. */
export const slotsPerFreeSpacePage = nodeCount - innerCount;
/** `FSM_TREE_DEPTH`: levels of pages. */
const levels = 3;
/** An inner page and the bottom pages below it lie together, behind the root. */
const pagesPerInner = slotsPerFreeSpacePage + 1;
/** `FSM_CAT_STEP`, in bytes. */
const categoryStep = pageSize / 256;
/** The highest category is for what has room for any tuple: `MaxFSMRequestSize`, in bytes. */
const categoryMax = 255;
const tupleMax = pageSize - 32;

/** Where in the map a page of it stands: `FSMAddress`. */
export interface FreeSpacePlace {
  /** 0 at the bottom, 2 for the root. */
  readonly level: number;
  /** Its number among the pages of its level. */
  readonly page: number;
}

/** The map block whose slot stands for a heap block: `fsm_logical_to_physical` at the bottom. */
export function freeSpaceMapBlock(heapBlock: number): number {
  let page = Math.floor(heapBlock / slotsPerFreeSpacePage);
  let pages = 0;
  for (let level = 0; level < levels; level += 1) {
    pages += page + 1;
    page = Math.floor(page / slotsPerFreeSpacePage);
  }
  return pages - 1;
}

/** What a map block is: the inverse of `fsm_logical_to_physical`. */
export function freeSpacePlace(mapBlock: number): FreeSpacePlace {
  if (mapBlock === 0) return { level: 2, page: 0 };
  const inner = Math.floor((mapBlock - 1) / pagesPerInner);
  const below = (mapBlock - 1) % pagesPerInner;
  if (below === 0) return { level: 1, page: inner };
  return { level: 0, page: inner * slotsPerFreeSpacePage + below - 1 };
}

/** The slot of a heap block within its map block. */
export function freeSpaceSlot(heapBlock: number): number {
  return heapBlock % slotsPerFreeSpacePage;
}

/** `fsm_space_avail_to_cat`: what the map keeps of a number of free bytes. */
export function freeSpaceCategory(free_bytes: number): number {
  assert(free_bytes >= 0 && free_bytes < pageSize, 'a page has less room than its size');
  if (free_bytes >= tupleMax) return categoryMax;
  return Math.min(categoryMax - 1, Math.floor(free_bytes / categoryStep));
}

/** The category of a heap page; one that was never initialised counts as VACUUM counts it: empty. */
export function heapPageCategory(page: DataView): number {
  return freeSpaceCategory(isNewPage(page) ? pageSize - PageHeader.size : heapFreeSpace(page));
}

/** `fsm_get_max_avail`: the largest of all slots. */
export function largestFreeSpace(page: DataView): number {
  return page.getUint8(nodesAt);
}

/** Sets a slot and nothing above it, making the page if need be; says whether it was another. */
export function setFreeSpaceSlot(page: DataView, slot: number, category: number): boolean {
  assert(slot >= 0 && slot < slotsPerFreeSpacePage, 'a slot lies on its page');
  const at = nodesAt + innerCount + slot;
  if (page.getUint8(at) === category) return false;
  if (isNewPage(page)) initPage(page, 0);
  page.setUint8(at, category);
  return true;
}

/** Empties the slots from `first` on and nothing above them; says whether one was not. */
export function clearFreeSpaceSlots(page: DataView, first: number): boolean {
  assert(first >= 0 && first <= slotsPerFreeSpacePage, 'slots end with their page');
  const at = page.byteOffset + nodesAt + innerCount + first;
  const slots = new Uint8Array(page.buffer, at, slotsPerFreeSpacePage - first);
  if (slots.every((category) => category === 0)) return false;
  slots.fill(0);
  return true;
}

/** Writes the value that keeps the first `slots` slots of a bottom page. */
export function writeFreeSpaceTruncate(target: DataView, at: number, slots: number): void {
  FreeSpaceTruncate.tag.set(target, at, valueTags.delta);
  FreeSpaceTruncate.kind.set(target, at, pageDeltaKinds.freeSpaceTruncate);
  target.setUint16(at + FreeSpaceTruncate.pad.offset, 0, true);
  FreeSpaceTruncate.slots.set(target, at, slots);
}

/** Applies a `freeSpaceTruncate` value: `fsm_truncate_avail`. */
export function applyFreeSpaceTruncate(page: DataView, view: DataView, at: number): void {
  const first = nodesAt + innerCount + FreeSpaceTruncate.slots.get(view, at);
  fillBytes(page, Math.min(first, pageSize), pageSize, 0);
  rebuildFreeSpaceTree(page);
}

/** `fsm_rebuild_page`: every inner node is the larger of its children. */
export function rebuildFreeSpaceTree(page: DataView): void {
  for (let node = innerCount - 1; node >= 0; node -= 1) {
    const left = 2 * node + 1;
    page.setUint8(nodesAt + node, Math.max(nodeAt(page, left), nodeAt(page, left + 1)));
  }
}

/** A node's value; nodes that do not fit on the page count as full. */
function nodeAt(page: DataView, node: number): number {
  return node < nodeCount ? page.getUint8(nodesAt + node) : 0;
}
