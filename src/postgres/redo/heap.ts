/**
 * Redo of the `heap` resource manager: `heap_redo` and the functions under it, in
 * src/backend/access/heap/heapam.c up to major 17 and heapam_xlog.c from 18 on.
 *
 * Visibility-map bits that these records clear are not cleared here but by a delta of ours on the
 * map's own page (visibility-map.ts); the free-space map is derived when it is read.
 */
import { ensure } from '../../base/failure.ts';
import { struct, u16, u32, u8 } from '../../base/struct.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { PageHeader, initPage } from '../page.ts';
import { itemLength, placement, reserveItem } from '../page-items.ts';
import { copyBytes } from './page-bytes.ts';
import {
  HeapTuple,
  isLockedOnly,
  replaceXmaxBits,
  resetCommandId,
  setAllVisible,
  setCtid,
  setHotUpdated,
  setMovedPartitions,
  setPrunable,
  tupleAt,
} from './heap-tuple.ts';

/** `XLOG_HEAP_OPMASK`: the op code within `info`, of `heap` and of `heap2`. */
export const heapOpMask = 0x70;
/** `XLOG_HEAP_INIT_PAGE`: the record's new page holds nothing else. */
export const heapInitPage = 0x80;

/** Op codes of the `heap` resource manager. A missing line is an unknown record, not a no-op. */
export const heapRedo: Readonly<Record<number, Redo>> = {
  0x00: redoInsert,
  0x10: redoDelete,
  0x20: redoUpdate,
  0x30: redoNothing, // XLOG_HEAP_TRUNCATE touches no page: it exists only for logical decoding
  0x40: redoHotUpdate,
  0x50: redoConfirm,
  0x60: redoLock,
  0x70: redoInplace,
};

/** `xl_heap_delete`. */
export const HeapDelete = struct({ xmax: u32, slot: u16, infobits: u8, flags: u8 }, { size: 8 });
/** `XLH_DELETE_*`. */
export const deleteFlags = {
  allVisibleCleared: 0x01,
  isSuper: 0x08,
  isPartitionMove: 0x10,
} as const;

/** `xl_heap_insert`. */
export const HeapInsert = struct({ slot: u16, flags: u8 }, { size: 3 });
/** `XLH_INSERT_*`, of inserts and multi-inserts. */
export const insertFlags = { allVisibleCleared: 0x01, allFrozenSet: 0x20 } as const;

/** `xl_heap_header`: what is logged of a tuple's header. */
export const LoggedHeader = struct({ infomask2: u16, infomask: u16, headerSize: u8 }, { size: 5 });

/** `xl_heap_update`. */
export const HeapUpdate = struct(
  { oldXmax: u32, oldSlot: u16, oldInfobits: u8, flags: u8, newXmax: u32, newSlot: u16 },
  { size: 14 },
);
/** `XLH_UPDATE_*`. */
export const updateFlags = {
  oldAllVisibleCleared: 0x01,
  newAllVisibleCleared: 0x02,
  prefixFromOld: 0x20,
  suffixFromOld: 0x40,
} as const;

/** `xl_heap_confirm`. */
export const HeapConfirm = struct({ slot: u16 }, { size: 2 });
/** `xl_heap_lock` and `xl_heap_lock_updated`. */
export const HeapLock = struct({ xmax: u32, slot: u16, infobits: u8, flags: u8 }, { size: 8 });
/** `XLH_LOCK_*`. */
export const lockFlags = { allFrozenCleared: 0x01 } as const;
/** `xl_heap_inplace`. From 18 on invalidation messages follow, which no page needs. */
export const HeapInplace = struct({ slot: u16 }, { size: 2 });

/** Largest tuple a page can hold (`MaxHeapTupleSize`), in bytes. */
const tuple_bytes_max = 8_160;

/** A record that changes no page. */
export function redoNothing(): void {
  // the op code table says why, where the record is listed
}

/** `heap_xlog_delete`. */
function redoDelete(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const slot = HeapDelete.slot.get(view, main);
  const flags = HeapDelete.flags.get(view, main);
  const tuple = tupleAt(page, slot);

  replaceXmaxBits(page, tuple, HeapDelete.infobits.get(view, main));
  setHotUpdated(page, tuple, false);
  // A speculative insertion that lost is deleted by making its inserter nobody.
  if ((flags & deleteFlags.isSuper) !== 0) HeapTuple.xmin.set(page, tuple, 0);
  else HeapTuple.xmax.set(page, tuple, HeapDelete.xmax.get(view, main));
  resetCommandId(page, tuple);
  setPrunable(page, record.xid);
  if ((flags & deleteFlags.allVisibleCleared) !== 0) setAllVisible(page, false);
  if ((flags & deleteFlags.isPartitionMove) !== 0) setMovedPartitions(page, tuple);
  else setCtid(page, tuple, record.blockNumber(0), slot);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_insert`. */
function redoInsert(page: DataView, record: BlockRecord): void {
  const { view, main, data, dataSize } = record;
  const slot = HeapInsert.slot.get(view, main);
  const flags = HeapInsert.flags.get(view, main);

  if ((record.info & heapInitPage) !== 0) initPage(page, 0);
  ensure(dataSize > LoggedHeader.size, 'redo_record_malformed', { dataSize });
  const logged = dataSize - LoggedHeader.size;
  const tuple = addTuple(page, slot, HeapTuple.size + logged);
  fillHeader(page, tuple, record, data);
  setCtid(page, tuple, record.blockNumber(0), slot);
  copyBytes(page, tuple + HeapTuple.size, view, data + LoggedHeader.size, logged);
  applyInsertFlags(page, flags);
  PageHeader.lsn.set(page, 0, record.end);
}

/** What an insert or multi-insert says of the page's visibility. */
export function applyInsertFlags(page: DataView, flags: number): void {
  if ((flags & insertFlags.allVisibleCleared) !== 0) setAllVisible(page, false);
  if ((flags & insertFlags.allFrozenSet) !== 0) setAllVisible(page, true);
}

/** Makes room for a tuple in `slot`, which must be free; returns the tuple's offset. */
export function addTuple(page: DataView, slot: number, size: number): number {
  ensure(slot >= 1 && size <= tuple_bytes_max, 'redo_record_malformed', { slot, size });
  return reserveItem(page, slot, size, placement.overwrite | placement.heap);
}

/** The header of a new tuple, from the logged one at `at` in the record; `t_ctid` is the caller's. */
export function fillHeader(page: DataView, tuple: number, record: BlockRecord, at: number): void {
  const { view, xid } = record;
  HeapTuple.xmin.set(page, tuple, xid);
  HeapTuple.xmax.set(page, tuple, 0);
  HeapTuple.infomask2.set(page, tuple, LoggedHeader.infomask2.get(view, at));
  HeapTuple.infomask.set(page, tuple, LoggedHeader.infomask.get(view, at));
  HeapTuple.headerSize.set(page, tuple, LoggedHeader.headerSize.get(view, at));
  resetCommandId(page, tuple);
}

function redoUpdate(page: DataView, record: BlockRecord): void {
  updateTuple(page, record, false);
}

function redoHotUpdate(page: DataView, record: BlockRecord): void {
  updateTuple(page, record, true);
}

/** `heap_xlog_update`: block 0 is the new tuple's page, block 1 the old one's if it is another. */
function updateTuple(page: DataView, record: BlockRecord, hot: boolean): void {
  const samePage = !record.hasBlock(1);
  if (samePage || record.blockId === 1) updateOldTuple(page, record, hot);
  if (record.blockId === 0) {
    if (!samePage && (record.info & heapInitPage) !== 0) initPage(page, 0);
    updateNewTuple(page, record, samePage);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

function updateOldTuple(page: DataView, record: BlockRecord, hot: boolean): void {
  const { view, main } = record;
  const tuple = tupleAt(page, HeapUpdate.oldSlot.get(view, main));

  replaceXmaxBits(page, tuple, HeapUpdate.oldInfobits.get(view, main));
  setHotUpdated(page, tuple, hot);
  HeapTuple.xmax.set(page, tuple, HeapUpdate.oldXmax.get(view, main));
  resetCommandId(page, tuple);
  setCtid(page, tuple, record.blockNumber(0), HeapUpdate.newSlot.get(view, main));
  setPrunable(page, record.xid);
  const flags = HeapUpdate.flags.get(view, main);
  if ((flags & updateFlags.oldAllVisibleCleared) !== 0) setAllVisible(page, false);
}

/**
 * Adds the new tuple. On the same page its user data may share a prefix and a suffix with the old
 * tuple's; block data is then `[u16 prefix] [u16 suffix] header, null bitmap and padding, the rest`.
 */
function updateNewTuple(page: DataView, record: BlockRecord, samePage: boolean): void {
  const { view, main } = record;
  const slot = HeapUpdate.newSlot.get(view, main);
  const flags = HeapUpdate.flags.get(view, main);
  const hasPrefix = (flags & updateFlags.prefixFromOld) !== 0;
  const hasSuffix = (flags & updateFlags.suffixFromOld) !== 0;
  ensure(samePage || !(hasPrefix || hasSuffix), 'redo_record_malformed', { flags });

  let at = record.data;
  const prefix = hasPrefix ? view.getUint16(at, true) : 0;
  if (hasPrefix) at += 2;
  const suffix = hasSuffix ? view.getUint16(at, true) : 0;
  if (hasSuffix) at += 2;
  const logged = record.data + record.dataSize - (at + LoggedHeader.size);
  // Bitmap and padding stand before the prefix, and are logged whole.
  const bitmap = LoggedHeader.headerSize.get(view, at) - HeapTuple.size;
  ensure(logged >= 0 && bitmap >= 0, 'redo_record_malformed', { logged, bitmap });
  const lead = prefix > 0 ? bitmap : logged;
  ensure(lead <= logged, 'redo_record_malformed', { logged, bitmap });

  const tuple = addTuple(page, slot, HeapTuple.size + prefix + logged + suffix);
  fillHeader(page, tuple, record, at);
  HeapTuple.xmax.set(page, tuple, HeapUpdate.newXmax.get(view, main));
  setCtid(page, tuple, record.blockNumber(0), slot);
  at += LoggedHeader.size;
  let target = tuple + HeapTuple.size;
  copyBytes(page, target, view, at, lead);
  target += lead;
  if (prefix > 0) copyOldPrefix(page, target, record, prefix);
  target += prefix;
  copyBytes(page, target, view, at + lead, logged - lead);
  target += logged - lead;
  if (suffix > 0) copyOldSuffix(page, target, record, suffix);

  if ((flags & updateFlags.newAllVisibleCleared) !== 0) setAllVisible(page, false);
}

function copyOldPrefix(page: DataView, target: number, record: BlockRecord, size: number): void {
  const slot = HeapUpdate.oldSlot.get(record.view, record.main);
  const old = tupleAt(page, slot);
  const headerSize = HeapTuple.headerSize.get(page, old);
  ensure(headerSize + size <= itemLength(page, slot), 'redo_record_malformed', { prefix: size });
  copyBytes(page, target, page, old + headerSize, size);
}

function copyOldSuffix(page: DataView, target: number, record: BlockRecord, size: number): void {
  const slot = HeapUpdate.oldSlot.get(record.view, record.main);
  const oldSize = itemLength(page, slot);
  ensure(size <= oldSize, 'redo_record_malformed', { suffix: size });
  copyBytes(page, target, page, tupleAt(page, slot) + oldSize - size, size);
}

/** `heap_xlog_confirm`: a speculative insertion stays, so its token gives way to its own place. */
function redoConfirm(page: DataView, record: BlockRecord): void {
  const slot = HeapConfirm.slot.get(record.view, record.main);
  const tuple = tupleAt(page, slot);

  setCtid(page, tuple, record.blockNumber(0), slot);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_lock`. */
function redoLock(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const slot = HeapLock.slot.get(view, main);
  const tuple = tupleAt(page, slot);

  replaceXmaxBits(page, tuple, HeapLock.infobits.get(view, main));
  if (isLockedOnly(page, tuple)) {
    setHotUpdated(page, tuple, false);
    setCtid(page, tuple, record.blockNumber(0), slot);
  }
  HeapTuple.xmax.set(page, tuple, HeapLock.xmax.get(view, main));
  resetCommandId(page, tuple);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `heap_xlog_inplace`: overwrites a tuple's user data by as many bytes. */
function redoInplace(page: DataView, record: BlockRecord): void {
  const slot = HeapInplace.slot.get(record.view, record.main);
  const tuple = tupleAt(page, slot);
  const headerSize = HeapTuple.headerSize.get(page, tuple);
  const size = itemLength(page, slot) - headerSize;
  ensure(size === record.dataSize, 'redo_record_malformed', { size, dataSize: record.dataSize });

  copyBytes(page, tuple + headerSize, record.view, record.data, size);
  PageHeader.lsn.set(page, 0, record.end);
}
