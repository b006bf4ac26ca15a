/**
 * Redo of BRIN indexes (src/backend/access/brin/brin_xlog.c).
 *
 * The free-space map that a running server keeps for an index's regular pages is not logged.
 */
import { bytes, padding, struct, u16, u32 } from '../../base/struct.ts';
import { PageHeader } from '../page.ts';
import {
  indexTupleDeleteNoCompact,
  indexTupleOverwrite,
  placement,
  reserveItem,
} from '../page-items.ts';
import { type BlockRecord, type Redo } from '../page-value.ts';
import {
  brinPageTypes,
  ensureBrinPage,
  extendRangeMap,
  initBrinMeta,
  initBrinPage,
  setSummary,
} from './brin-page.ts';
import { copyBytes } from './page-bytes.ts';
import { ensureBlock, ensureData, ensureMain } from './record-data.ts';

/** `XLOG_BRIN_OPMASK`. */
export const brinOpMask = 0x70;
/** `XLOG_BRIN_INIT_PAGE`: the page a tuple is inserted into holds nothing else. */
const initPageFlag = 0x80;

/** Op codes of the `brin` resource manager. */
export const brinRedo: Readonly<Partial<Record<number, Redo>>> = {
  0x00: redoCreateIndex,
  0x10: redoInsert,
  0x20: redoUpdate,
  0x30: redoSamePageUpdate,
  0x40: redoRevmapExtend,
  0x50: redoDesummarizePage,
};

/** `xl_brin_createidx`. */
export const BrinCreateIndex = struct({ pagesPerRange: u32, version: u16 }, { size: 6 });
/** `xl_brin_insert`. */
export const BrinInsert = struct({ heapBlock: u32, pagesPerRange: u32, slot: u16 }, { size: 10 });
/** `xl_brin_update`: what an insertion has, behind the place of the old tuple. */
export const BrinUpdate = struct(
  { oldSlot: u16, padding: padding(2), insert: bytes(BrinInsert.size) },
  { size: 14 },
);
/** `xl_brin_samepage_update`. */
export const BrinSamePageUpdate = struct({ slot: u16 }, { size: 2 });
/** `xl_brin_revmap_extend`. */
export const BrinRevmapExtend = struct({ block: u32 }, { size: 4 });
/** `xl_brin_desummarize`. */
export const BrinDesummarize = struct(
  { pagesPerRange: u32, heapBlock: u32, slot: u16 },
  { size: 10 },
);

/** `brin_xlog_createidx`. */
function redoCreateIndex(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, BrinCreateIndex.size);
  const { view, main } = record;
  const pagesPerRange = BrinCreateIndex.pagesPerRange.get(view, main);
  initBrinMeta(page, pagesPerRange, BrinCreateIndex.version.get(view, main));
  PageHeader.lsn.set(page, 0, record.end);
}

/** `brin_xlog_insert_update`, of the `xl_brin_insert` at `at`. */
function insertOrUpdate(page: DataView, record: BlockRecord, at: number): void {
  const { view } = record;
  const slot = BrinInsert.slot.get(view, at);
  if (record.blockId === 0) {
    insertTuple(page, record, slot);
  } else {
    const pagesPerRange = BrinInsert.pagesPerRange.get(view, at);
    const heapBlock = BrinInsert.heapBlock.get(view, at);
    setSummary(page, { pagesPerRange, heapBlock }, record.blockNumber(0), slot);
  }
  PageHeader.lsn.set(page, 0, record.end);
}

function insertTuple(page: DataView, record: BlockRecord, slot: number): void {
  const { view, data, dataSize } = record;
  if ((record.info & initPageFlag) !== 0) initBrinPage(page, brinPageTypes.regular);
  ensureBrinPage(page, brinPageTypes.regular);
  ensureData(record, 1);
  const at = reserveItem(page, slot, dataSize, placement.overwrite);
  copyBytes(page, at, view, data, dataSize);
}

/** `brin_xlog_insert`. Blocks: 0 the page, 1 the range map's page. */
function redoInsert(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, BrinInsert.size);
  insertOrUpdate(page, record, record.main);
}

/** `brin_xlog_update`. Blocks: 0 the new page, 1 the range map's page, 2 the old page. */
function redoUpdate(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 2);
  ensureMain(record, BrinUpdate.size);
  if (record.blockId === 2)
    deleteTuple(page, record, BrinUpdate.oldSlot.get(record.view, record.main));
  else insertOrUpdate(page, record, record.main + BrinUpdate.insert.offset);
}

/** Removes the summary; its slot stays, for the range map names summaries by their slots. */
function deleteTuple(page: DataView, record: BlockRecord, slot: number): void {
  ensureBrinPage(page, brinPageTypes.regular);
  indexTupleDeleteNoCompact(page, slot);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `brin_xlog_samepage_update`. */
function redoSamePageUpdate(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 0);
  ensureMain(record, BrinSamePageUpdate.size);
  ensureBrinPage(page, brinPageTypes.regular);
  ensureData(record, 1);
  const { view, data, dataSize } = record;
  const tuple = new Uint8Array(view.buffer, view.byteOffset + data, dataSize);
  indexTupleOverwrite(page, BrinSamePageUpdate.slot.get(view, record.main), tuple);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `brin_xlog_revmap_extend`. Blocks: 0 the metapage, 1 the range map's new page. */
function redoRevmapExtend(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, BrinRevmapExtend.size);
  if (record.blockId === 0)
    extendRangeMap(page, BrinRevmapExtend.block.get(record.view, record.main));
  else initBrinPage(page, brinPageTypes.rangeMap);
  PageHeader.lsn.set(page, 0, record.end);
}

/** `brin_xlog_desummarize_page`. Blocks: 0 the range map's page, 1 the page with the summary. */
function redoDesummarizePage(page: DataView, record: BlockRecord): void {
  ensureBlock(record, 1);
  ensureMain(record, BrinDesummarize.size);
  const { view, main } = record;
  if (record.blockId === 1) {
    deleteTuple(page, record, BrinDesummarize.slot.get(view, main));
    return;
  }
  const pagesPerRange = BrinDesummarize.pagesPerRange.get(view, main);
  const heapBlock = BrinDesummarize.heapBlock.get(view, main);
  setSummary(page, { pagesPerRange, heapBlock }, 0, 0);
  PageHeader.lsn.set(page, 0, record.end);
}
