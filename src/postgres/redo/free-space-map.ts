/**
 * The free-space map's pages: a binary tree of maxima over one byte per heap block
 * (src/backend/storage/freespace/fsmpage.c), and the delta of ours that truncates one.
 *
 * ```
 * freeSpaceTruncate   4 | 3 | pad 2 | u32 slots that remain
 * ```
 *
 * The map is a hint that Postgres repairs by itself: its upper levels are not followed here.
 */
import { padding, struct, u32, u8 } from '../../base/struct.ts';
import { PageHeader, pageSize } from '../page.ts';
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

/** The slot of a heap block within its map block. */
export function freeSpaceSlot(heapBlock: number): number {
  return heapBlock % slotsPerFreeSpacePage;
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
  rebuildTree(page);
}

/** `fsm_rebuild_page`: every inner node is the larger of its children. */
function rebuildTree(page: DataView): void {
  for (let node = innerCount - 1; node >= 0; node -= 1) {
    const left = 2 * node + 1;
    page.setUint8(nodesAt + node, Math.max(nodeAt(page, left), nodeAt(page, left + 1)));
  }
}

/** A node's value; nodes that do not fit on the page count as full. */
function nodeAt(page: DataView, node: number): number {
  return node < nodeCount ? page.getUint8(nodesAt + node) : 0;
}
