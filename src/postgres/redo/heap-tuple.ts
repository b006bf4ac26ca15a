/**
 * HeapTuple: the header of a tuple on a heap page (src/include/access/htup_details.h) and the
 * changes that redo makes to it. Nothing here stamps pages: that is the records' business.
 */
import { ensure } from '../../base/failure.ts';
import { struct, u16, u32, u8 } from '../../base/struct.ts';
import { PageHeader, pageFlags } from '../page.ts';
import { itemIsNormal, itemLength, itemOffset, slotCount } from '../page-items.ts';

/** `HeapTupleHeaderData` up to `t_bits`; `t_ctid` is a block number in two halves and a slot. */
export const HeapTuple = struct(
  {
    xmin: u32,
    xmax: u32,
    /** `t_cid`, or `t_xvac` of a tuple moved by a VACUUM FULL before 9.0. */
    commandId: u32,
    ctidBlockHigh: u16,
    ctidBlockLow: u16,
    ctidSlot: u16,
    infomask2: u16,
    infomask: u16,
    headerSize: u8,
  },
  { size: 23 },
);

/** `t_infomask`, as far as redo and masks need it. */
export const infomask = {
  xmaxKeyShareLock: 0x0010,
  comboCid: 0x0020,
  xmaxExclusiveLock: 0x0040,
  xmaxLockOnly: 0x0080,
  xminCommitted: 0x0100,
  xminInvalid: 0x0200,
  xminFrozen: 0x0300,
  xmaxCommitted: 0x0400,
  xmaxInvalid: 0x0800,
  xmaxIsMulti: 0x1000,
  moved: 0xc000,
  /** `HEAP_XMAX_BITS`: all that says what xmax means. */
  xmaxBits: 0x1cd0,
  /** `HEAP_LOCK_MASK`. */
  lockMask: 0x0050,
  /** `HEAP_XACT_MASK`: everything about visibility. */
  visibility: 0xfff0,
} as const;

/** `t_infomask2`. */
const infomask2 = { keysUpdated: 0x2000, hotUpdated: 0x4000 } as const;

/** Slots that are no slots: `SpecTokenOffsetNumber`, `MovedPartitionsOffsetNumber`. */
export const specialSlots = { speculativeToken: 0xfffe, movedPartitions: 0xfffd } as const;
const noBlock = 0xffff_ffff;

/** `FirstCommandId`: redo does not know command ids. */
const firstCommandId = 0;
const firstNormalXid = 3;

/** `XLHL_*`: the bits of `infobits_set`. */
const infobits = {
  xmaxIsMulti: 0x01,
  xmaxLockOnly: 0x02,
  xmaxExclusiveLock: 0x04,
  xmaxKeyShareLock: 0x08,
  keysUpdated: 0x10,
} as const;

/** Offset of the tuple of `slot`. Fails with `redo_page_unexpected` unless it is a normal item. */
export function tupleAt(page: DataView, slot: number): number {
  const slots = slotCount(page);
  const normal = slot >= 1 && slot <= slots && itemIsNormal(page, slot);
  ensure(normal, 'redo_page_unexpected', { slot, slots });
  const offset = itemOffset(page, slot);
  const inside = offset >= PageHeader.size && offset + itemLength(page, slot) <= page.byteLength;
  ensure(inside, 'redo_page_unexpected', { slot, offset });
  return offset;
}

export function setCtid(page: DataView, tuple: number, block: number, slot: number): void {
  HeapTuple.ctidBlockHigh.set(page, tuple, block >>> 16);
  HeapTuple.ctidBlockLow.set(page, tuple, block & 0xffff);
  HeapTuple.ctidSlot.set(page, tuple, slot);
}

/** `HeapTupleHeaderSetMovedPartitions`: the row went to another partition. */
export function setMovedPartitions(page: DataView, tuple: number): void {
  setCtid(page, tuple, noBlock, specialSlots.movedPartitions);
}

/** `HeapTupleHeaderSetCmin` and `HeapTupleHeaderSetCmax`: to the first command, never a combo. */
export function resetCommandId(page: DataView, tuple: number): void {
  HeapTuple.commandId.set(page, tuple, firstCommandId);
  clearInfomask(page, tuple, infomask.comboCid);
}

export function clearInfomask(page: DataView, tuple: number, bits: number): void {
  HeapTuple.infomask.set(page, tuple, HeapTuple.infomask.get(page, tuple) & ~bits);
}

/** `HEAP_XMAX_IS_LOCKED_ONLY`: xmax locked the tuple and did not update it. */
export function isLockedOnly(page: DataView, tuple: number): boolean {
  const mask = HeapTuple.infomask.get(page, tuple);
  if ((mask & infomask.xmaxLockOnly) !== 0) return true;
  return (mask & (infomask.xmaxIsMulti | infomask.lockMask)) === infomask.xmaxExclusiveLock;
}

/** `HeapTupleHeaderSetHotUpdated` and `HeapTupleHeaderClearHotUpdated`. */
export function setHotUpdated(page: DataView, tuple: number, hot: boolean): void {
  const mask = HeapTuple.infomask2.get(page, tuple);
  const bit = infomask2.hotUpdated;
  HeapTuple.infomask2.set(page, tuple, hot ? mask | bit : mask & ~bit);
}

/**
 * Forgets what xmax meant and takes its new meaning from a record's `infobits_set`: what every
 * record that sets xmax does first, ending in `fix_infomask_from_infobits`.
 */
export function replaceXmaxBits(page: DataView, tuple: number, bits: number): void {
  let mask = HeapTuple.infomask.get(page, tuple) & ~(infomask.xmaxBits | infomask.moved);
  if ((bits & infobits.xmaxIsMulti) !== 0) mask |= infomask.xmaxIsMulti;
  if ((bits & infobits.xmaxLockOnly) !== 0) mask |= infomask.xmaxLockOnly;
  if ((bits & infobits.xmaxExclusiveLock) !== 0) mask |= infomask.xmaxExclusiveLock;
  if ((bits & infobits.xmaxKeyShareLock) !== 0) mask |= infomask.xmaxKeyShareLock;
  HeapTuple.infomask.set(page, tuple, mask);

  let mask2 = HeapTuple.infomask2.get(page, tuple) & ~infomask2.keysUpdated;
  if ((bits & infobits.keysUpdated) !== 0) mask2 |= infomask2.keysUpdated;
  HeapTuple.infomask2.set(page, tuple, mask2);
}

/** `PageSetPrunable`: remembers the oldest transaction that left something to prune. */
export function setPrunable(page: DataView, xid: number): void {
  const known = PageHeader.pruneXid.get(page, 0);
  if (known === 0 || xidPrecedes(xid, known)) PageHeader.pruneXid.set(page, 0, xid);
}

/** `TransactionIdPrecedes`: on a circle of 2^32, except for the permanent ids. */
function xidPrecedes(a: number, b: number): boolean {
  if (a < firstNormalXid || b < firstNormalXid) return a < b;
  return ((a - b) | 0) < 0;
}

/** `PageSetAllVisible` and `PageClearAllVisible`. */
export function setAllVisible(page: DataView, visible: boolean): void {
  const flags = PageHeader.flags.get(page, 0);
  const bit = pageFlags.allVisible;
  PageHeader.flags.set(page, 0, visible ? flags | bit : flags & ~bit);
}
