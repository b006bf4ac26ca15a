/**
 * Redo of the `heap2` resource manager: `heap2_redo` in src/backend/access/heap/heapam.c up to major
 * 17, in heapam_xlog.c from 18 on. Pruning and freezing are in heap-prune.ts.
 *
 * Op codes 0x10 to 0x30 were prune, vacuum and freeze until 17 made them three reasons for one record.
 */
import { ensure } from '../../base/failure.ts';
import { padding, struct, u16, u32, u8 } from '../../base/struct.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import { PageHeader, initPage } from '../page.ts';
import { copyBytes } from './page-bytes.ts';
import {
  HeapLock,
  LoggedHeader,
  addTuple,
  applyInsertFlags,
  fillHeader,
  heapInitPage,
  redoNothing,
} from './heap.ts';
import {
  redoFreezePlans,
  redoFreezeTuples,
  redoPrune,
  redoPruneFreeze,
  redoVacuum,
} from './heap-prune.ts';
import { HeapTuple, replaceXmaxBits, setAllVisible, setCtid, tupleAt } from './heap-tuple.ts';
import { setVisibility } from './visibility-map.ts';

/** Op codes of the `heap2` resource manager. A missing line is an unknown record, not a no-op. */
export const heap2Redo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoNothing, // XLOG_HEAP2_REWRITE writes a file for logical decoding and touches no page
  0x10: byMajor({ 15: redoPrune, 16: redoPrune, 17: redoPruneFreeze, 18: redoPruneFreeze }),
  0x20: byMajor({ 15: redoVacuum, 16: redoVacuum, 17: redoPruneFreeze, 18: redoPruneFreeze }),
  0x30: byMajor({
    15: redoFreezeTuples,
    16: redoFreezePlans,
    17: redoPruneFreeze,
    18: redoPruneFreeze,
  }),
  0x40: redoVisible,
  0x50: redoMultiInsert,
  0x60: redoLockUpdated,
  0x70: redoNothing, // XLOG_HEAP2_NEW_CID exists only for logical decoding
};

/** `xl_heap_visible`. */
export const HeapVisible = struct({ conflictXid: u32, flags: u8 }, { size: 5 });
/** `xl_heap_multi_insert`; the slots follow, unless the page starts empty. */
export const HeapMultiInsert = struct({ flags: u8, pad: padding(1), tuples: u16 }, { size: 4 });
/** What `xl_multi_insert_tuple` has before its logged header: the size of the data after it. */
export const MultiInsertTuple = struct({ dataSize: u16 }, { size: 2 });

/** One record's redo where majors differ. */
function byMajor(versions: Readonly<Partial<Record<number, Redo>>>): Redo {
  return (page, record) => {
    const redo = versions[record.major];
    ensure(redo !== undefined, 'redo_record_malformed', { major: record.major });
    redo(page, record);
  };
}

/**
 * `heap_xlog_visible`: block 0 is the map's page, block 1 the heap's.
 *
 * Postgres stamps the heap page only if hint bits are logged in this cluster, which the record does
 * not tell. Leaving the LSN is right for both: setting the flag again does no harm, and whatever
 * clears it stamps the page.
 */
function redoVisible(page: DataView, record: BlockRecord): void {
  if (record.blockId === 1) {
    setAllVisible(page, true);
    return;
  }
  const flags = HeapVisible.flags.get(record.view, record.main);
  setVisibility(page, record.blockNumber(1), flags, record.end);
}

/** `heap_xlog_multi_insert`: block data is tuple after tuple, each aligned to 2. */
function redoMultiInsert(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const isInit = (record.info & heapInitPage) !== 0;
  const count = HeapMultiInsert.tuples.get(view, main);
  const slots = main + HeapMultiInsert.size;

  if (isInit) initPage(page, 0);
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const slot = isInit ? index + 1 : view.getUint16(slots + index * 2, true);
    at = (at + 1) & ~1;
    at += insertLogged(page, record, slot, record.data + at);
  }
  ensure(at === record.dataSize, 'redo_record_malformed', { at, dataSize: record.dataSize });
  applyInsertFlags(page, HeapMultiInsert.flags.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** Inserts the logged tuple at `at`; returns how many bytes of the record it takes. */
function insertLogged(page: DataView, record: BlockRecord, slot: number, at: number): number {
  const { view } = record;
  const end = record.data + record.dataSize;
  const header = at + MultiInsertTuple.size;
  const body = header + LoggedHeader.size;
  ensure(body <= end, 'redo_record_malformed', { slot, dataSize: record.dataSize });
  const size = MultiInsertTuple.dataSize.get(view, at);
  ensure(body + size <= end, 'redo_record_malformed', { slot, size });

  const tuple = addTuple(page, slot, HeapTuple.size + size);
  fillHeader(page, tuple, record, header);
  setCtid(page, tuple, record.blockNumber(0), slot);
  copyBytes(page, tuple + HeapTuple.size, view, body, size);
  return body + size - at;
}

/** `heap_xlog_lock_updated`: a lock follows a row to its newer version. */
function redoLockUpdated(page: DataView, record: BlockRecord): void {
  const { view, main } = record;
  const tuple = tupleAt(page, HeapLock.slot.get(view, main));

  replaceXmaxBits(page, tuple, HeapLock.infobits.get(view, main));
  HeapTuple.xmax.set(page, tuple, HeapLock.xmax.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}
