/**
 * The CLOG resource manager, and the transaction statuses that commit and abort records imply
 * (src/backend/access/transam/clog.c).
 */
import { type Lsn } from '../../base/lsn.ts';
import { type Major } from '../major.ts';
import {
  type ClogStatus,
  clogStatusSize,
  clogXidsPerPage,
  setClogIndex,
  writeClogStatus,
} from '../redo/slru.ts';
import { type WalRecord } from '../wal-record.ts';
import { xidOf, xidPrecedes } from '../xid.ts';
import { type MainData } from './main-data.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';
import { runEnd, type XidList } from './xid-list.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = { 0x00: zeroPage, 0x10: truncate };

export function ingestClog(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** How records write an SLRU page number: an int until major 16, an int64 from 17. */
export const readPageNumber: Readonly<Record<Major, (data: MainData) => number>> = {
  15: (data) => data.u32(),
  16: (data) => data.u32(),
  17: (data) => data.u64(),
  18: (data) => data.u64(),
};

/**
 * `TransactionIdSetTreeStatus`: one delta per page. Sub-commits are only a means to make a
 * commit atomic over several pages; here a record's versions appear together anyway.
 */
export function setClogStatus(
  state: IngestState,
  at: Lsn,
  status: ClogStatus,
  xids: XidList,
): void {
  for (let first = 0; first < xids.count;) {
    const end = runEnd(xids, first, clogXidsPerPage);
    const delta = state.scratch.take(clogStatusSize(end - first));
    const { view } = state.scratch;
    writeClogStatus(view, status, end - first);
    for (let each = first; each < end; each += 1) setClogIndex(view, each - first, xids.at(each));
    state.clog.put(clogPage(xids.at(first)), at, delta);
    first = end;
  }
}

function zeroPage(state: IngestState, record: WalRecord): void {
  state.clog.zero(readPageNumber[state.major](state.data.open(record)), record.end);
}

/** `CLOG_TRUNCATE`. Its cutoff is also a horizon: a start must not look below it. */
function truncate(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const cutoff = readPageNumber[state.major](data);
  const oldestXid = data.u32();
  const oldestXidDatabase = data.u32();
  state.checkpoint.advanceOldestXid(oldestXid, oldestXidDatabase);
  const newest = clogPage(xidOf(state.checkpoint.nextXid));
  if (clogPagePrecedes(newest, cutoff)) return; // as SimpleLruTruncate: apparent wraparound
  state.clog.truncate(cutoff, record.end, clogPagePrecedes);
}

function clogPage(xid: number): number {
  return Math.floor(xid / clogXidsPerPage);
}

/** `CLOGPagePrecedes`. */
function clogPagePrecedes(a: number, b: number): boolean {
  return xidPagePrecedes(a, b, clogXidsPerPage);
}

/** Page order by the xids on them, as clog.c and commit_ts.c define it. */
export function xidPagePrecedes(a: number, b: number, xidsPerPage: number): boolean {
  const firstA = xidOnPage(a, xidsPerPage);
  const firstB = xidOnPage(b, xidsPerPage);
  const lastB = (firstB + xidsPerPage - 1) >>> 0;
  return xidPrecedes(firstA, firstB) && xidPrecedes(firstA, lastB);
}

/** An early xid of the page that is normal even on page 0: `FirstNormalTransactionId + 1` in. */
function xidOnPage(page: number, xidsPerPage: number): number {
  return (Math.imul(page, xidsPerPage) + 4) >>> 0;
}
