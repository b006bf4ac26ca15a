/**
 * The CommitTs resource manager, and the commit times of transactions while track_commit_timestamp
 * is on (src/backend/access/transam/commit_ts.c).
 *
 * Whether it is on shows in the checkpoint: the oldest commit timestamp is known only then.
 */
import { type Lsn } from '../../base/lsn.ts';
import {
  type CommitStamp,
  commitTimestampsPerPage,
  commitTimestampsSize,
  setCommitTimestampIndex,
  writeCommitTimestamps,
} from '../redo/slru.ts';
import { type WalRecord } from '../wal-record.ts';
import { xidOf, xidPrecedes } from '../xid.ts';
import { readPageNumber, xidPagePrecedes } from './clog.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';
import { runEnd, type XidList } from './xid-list.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = { 0x00: zeroPage, 0x10: truncate };

export function ingestCommitTimestamp(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** `TransactionTreeSetCommitTsData`: one delta per page; nothing while timestamps are off. */
export function setCommitTimestamps(
  state: IngestState,
  at: Lsn,
  stamp: CommitStamp,
  xids: XidList,
): void {
  if (!state.checkpoint.keepsCommitTimestamps) return;
  for (let first = 0; first < xids.count;) {
    const end = runEnd(xids, first, commitTimestampsPerPage);
    const delta = state.scratch.take(commitTimestampsSize(end - first));
    const { view } = state.scratch;
    writeCommitTimestamps(view, stamp, end - first);
    for (let each = first; each < end; each += 1) {
      setCommitTimestampIndex(view, each - first, xids.at(each));
    }
    state.commitTimestamps.put(pageOf(xids.at(first)), at, delta);
    first = end;
  }
  state.checkpoint.passCommitTimestamp(xids.at(xids.count - 1));
}

/** `CommitTsParameterChange`. */
export function changeCommitTimestamps(state: IngestState, at: Lsn, on: boolean): void {
  if (on === state.checkpoint.keepsCommitTimestamps) return;
  if (on) activate(state, at);
  else deactivate(state, at);
}

/** `ActivateCommitTs`: the page of the next xid may never have been made. */
function activate(state: IngestState, at: Lsn): void {
  const next = xidOf(state.checkpoint.nextXid);
  const fields = state.checkpoint.change();
  fields.oldestCommitTsXid = next;
  fields.newestCommitTsXid = next;
  const page = pageOf(next);
  if (!state.commitTimestamps.has(page)) state.commitTimestamps.zero(page, at);
}

/** `DeactivateCommitTs`. */
function deactivate(state: IngestState, at: Lsn): void {
  const fields = state.checkpoint.change();
  fields.oldestCommitTsXid = 0;
  fields.newestCommitTsXid = 0;
  state.commitTimestamps.dropAll(at);
}

function zeroPage(state: IngestState, record: WalRecord): void {
  state.commitTimestamps.zero(readPageNumber[state.major](state.data.open(record)), record.end);
}

/** `COMMIT_TS_TRUNCATE`. */
function truncate(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  const cutoff = readPageNumber[state.major](data);
  const oldest = data.u32();
  const fields = state.checkpoint.change();
  if (fields.oldestCommitTsXid !== 0 && xidPrecedes(fields.oldestCommitTsXid, oldest)) {
    fields.oldestCommitTsXid = oldest;
  }
  state.commitTimestamps.truncate(cutoff, record.end, precedes);
}

function pageOf(xid: number): number {
  return Math.floor(xid / commitTimestampsPerPage);
}

/** `CommitTsPagePrecedes`. */
function precedes(a: number, b: number): boolean {
  return xidPagePrecedes(a, b, commitTimestampsPerPage);
}
