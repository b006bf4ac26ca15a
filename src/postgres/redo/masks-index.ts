/**
 * Masks of B-trees, sequences and generic pages: what of them changes without a record
 * (`btree_mask` in nbtxlog.c, `seq_mask` in sequence.c, `generic_mask` in generic_xlog.c).
 */
import {
  maskLinePointerFlags,
  maskLsnAndChecksum,
  maskPageHints,
  maskUnusedSpace,
} from './masks.ts';
import { BtreeOpaque, btreeFlags, opaqueAt } from './btree-page.ts';

const btreeHints = btreeFlags.hasGarbage | btreeFlags.splitEnd;

/** `btree_mask`. */
export function maskBtree(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  maskUnusedSpace(page);
  const flags = BtreeOpaque.flags.get(page, opaqueAt);
  // Scans mark leaf tuples dead in passing.
  if ((flags & btreeFlags.leaf) !== 0) maskLinePointerFlags(page);
  BtreeOpaque.flags.set(page, opaqueAt, flags & ~btreeHints);
  BtreeOpaque.cycleId.set(page, opaqueAt, 0);
}

/** `seq_mask`. */
export function maskSequence(page: DataView): void {
  maskLsnAndChecksum(page);
  maskUnusedSpace(page);
}

/** `generic_mask`. */
export function maskGeneric(page: DataView): void {
  maskLsnAndChecksum(page);
  maskUnusedSpace(page);
}
