/**
 * Masks of indexes, sequences and generic pages: what of them changes without a record
 * (`btree_mask` in nbtxlog.c, `hash_mask` in hash_xlog.c, `brin_mask` in brin_xlog.c, `seq_mask` in
 * sequence.c, `generic_mask` in generic_xlog.c).
 */
import { PageHeader } from '../page.ts';
import { BrinSpecial, brinFlags, brinPageTypes, brinSpecialAt } from './brin-page.ts';
import * as hash from './hash-page.ts';
import {
  maskContent,
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

/** `hash_mask`. */
export function maskHash(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  maskUnusedSpace(page);
  const flags = hash.HashOpaque.flags.get(page, hash.opaqueAt);
  const type = flags & hash.pageTypeMask;
  if (type === hash.hashFlags.unused) {
    maskContent(page);
    return;
  }
  // Scans mark tuples dead in passing.
  const holdsTuples = type === hash.hashFlags.bucket || type === hash.hashFlags.overflow;
  if (holdsTuples) maskLinePointerFlags(page);
  hash.HashOpaque.flags.set(page, hash.opaqueAt, flags & ~hash.hashFlags.hasDeadTuples);
}

/** `brin_mask`. */
export function maskBrin(page: DataView): void {
  maskLsnAndChecksum(page);
  maskPageHints(page);
  const type = BrinSpecial.type.get(page, brinSpecialAt);
  const flags = BrinSpecial.flags.get(page, brinSpecialAt);
  // Majors before 11 left the metapage's lower bound unset.
  const bounded = PageHeader.lower.get(page, 0) > PageHeader.size;
  const isMeta = type === brinPageTypes.meta;
  if (type === brinPageTypes.regular || (isMeta && bounded)) maskUnusedSpace(page);
  // A page about to become part of the range map is marked so in memory only.
  BrinSpecial.flags.set(page, brinSpecialAt, flags & ~brinFlags.evacuate);
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
