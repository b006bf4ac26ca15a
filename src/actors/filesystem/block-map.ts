/**
 * BlockMap: what the upper layer knows of each block of each block file, in shared memory.
 *
 * A block has a word and a stamp. Word 0 is **absent**: the lower layer below `lowerBlocks`, zeros
 * above. Otherwise:
 *
 * ```
 * 31 busy │ 30 trimming │ 29 from lower │ 28 second half │ 27 first half │ 26 unused │ 25..0 slot
 * ```
 *
 * - `busy`: a writer owns the word until it stores another.
 * - `trimming`: a trim is under way; whoever reads or writes the block clears it, and so cancels.
 * - `from lower`: what no slot holds comes from the lower layer, also at or above `lowerBlocks`.
 * - a half bit: that 4 KiB half is in the slot.
 *
 * The stamp is the value of the `writes` counter when the block was last written.
 *
 * Radix: 16 pointers in the inode, middle nodes of 128 pointers, leaves of 64 words and 64 stamps.
 */
import { assert } from '../../base/assert.ts';
import { inodeFields, node_words, segmentBlocks, type SharedState } from './shared-state.ts';

export const busyBit = 1 << 31;
export const trimmingBit = 1 << 30;
export const fromLowerBit = 1 << 29;
export const firstHalfBit = 1 << 27;
export const secondHalfBit = 1 << 28;
export const halvesMask = firstHalfBit | secondHalfBit;
export const slotMask = 2 ** 26 - 1;

const leafBlocks = 64;
const middleBlocks = leafBlocks * node_words;
const topPointers = segmentBlocks / middleBlocks;
/** From a word to its stamp, in words. */
export const stampDistance = leafBlocks;

assert(topPointers === 16, 'the top of a map fits its inode');

/** Index of a block's word in `state.words`, or 0 when the map has no leaf for it. */
export function findWord(state: SharedState, inode: number, block: number): number {
  const { words } = state;
  const top = state.inodeAt(inode) + inodeFields.mapTop + Math.floor(block / middleBlocks);
  const middle = Atomics.load(words, top);
  if (middle === 0) return 0;
  const leaf = Atomics.load(words, state.nodeAt(middle) + (Math.floor(block / leafBlocks) & 127));
  return leaf === 0 ? 0 : state.nodeAt(leaf) + (block & 63);
}

/** As `findWord`, but makes the nodes that miss. 0 when the pool is empty. */
export function makeWord(state: SharedState, inode: number, block: number): number {
  const found = findWord(state, inode, block);
  if (found !== 0) return found;
  assert(block < segmentBlocks, 'a block lies in its segment');
  const top = state.inodeAt(inode) + inodeFields.mapTop + Math.floor(block / middleBlocks);
  const middle = childNode(state, top);
  if (middle === 0) return 0;
  const leaf = childNode(state, state.nodeAt(middle) + (Math.floor(block / leafBlocks) & 127));
  return leaf === 0 ? 0 : state.nodeAt(leaf) + (block & 63);
}

/** The node a pointer leads to, made and linked when there is none. */
function childNode(state: SharedState, pointer: number): number {
  const child = Atomics.load(state.words, pointer);
  if (child !== 0) return child;
  const made = state.allocateNode();
  if (made === 0) return 0;
  const winner = Atomics.compareExchange(state.words, pointer, 0, made);
  if (winner === 0) return made;
  state.freeNode(made);
  return winner;
}

/** Calls `visit(block, wordIndex)` for each block that has a word other than 0, ascending. */
export function visitBlocks(
  state: SharedState,
  inode: number,
  visit: (block: number, at: number) => void,
): void {
  visitLeaves(state, inode, (firstBlock, leaf) => {
    const at = state.nodeAt(leaf);
    for (let i = 0; i < leafBlocks; i += 1)
      if (Atomics.load(state.words, at + i) !== 0) visit(firstBlock + i, at + i);
  });
}

function visitLeaves(
  state: SharedState,
  inode: number,
  visit: (firstBlock: number, leaf: number, pointer: number) => void,
): void {
  const tops = state.inodeAt(inode) + inodeFields.mapTop;
  for (let top = 0; top < topPointers; top += 1) {
    const middle = state.words[tops + top]!;
    if (middle === 0) continue;
    const pointers = state.nodeAt(middle);
    for (let i = 0; i < node_words; i += 1) {
      const leaf = state.words[pointers + i]!;
      if (leaf !== 0) visit(top * middleBlocks + i * leafBlocks, leaf, pointers + i);
    }
  }
}

/**
 * Forgets all blocks from `firstBlock` on: `free` is called with each slot. The file's size and
 * `lowerBlocks` must be lowered before, and no write be under way (the kernel sees to that).
 */
export function dropBlocks(
  state: SharedState,
  inode: number,
  firstBlock: number,
  free: (slot: number) => void,
): void {
  visitBlocks(state, inode, (block, at) => {
    if (block < firstBlock) return;
    const word = Atomics.exchange(state.words, at, 0);
    if ((word & halvesMask) !== 0) free(word & slotMask);
  });
  visitLeaves(state, inode, (leafBlock, leaf, pointer) => {
    if (leafBlock < firstBlock) return;
    Atomics.store(state.words, pointer, 0);
    state.freeNode(leaf);
  });
}

/** Gives all nodes back, when the inode itself is going. The blocks must have been dropped. */
export function freeMap(state: SharedState, inode: number): void {
  const tops = state.inodeAt(inode) + inodeFields.mapTop;
  for (let top = 0; top < topPointers; top += 1) {
    const middle = Atomics.exchange(state.words, tops + top, 0);
    if (middle !== 0) state.freeNode(middle);
  }
}
