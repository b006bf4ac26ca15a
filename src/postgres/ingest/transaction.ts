/**
 * The Transaction resource manager: commits and aborts, also of prepared transactions
 * (`xact_redo`, src/backend/access/transam/xact.c).
 */
import { clogStatus, type ClogStatus, type CommitStamp } from '../redo/slru.ts';
import { type WalRecord } from '../wal-record.ts';
import { setClogStatus } from './clog.ts';
import { setCommitTimestamps } from './commit-timestamp.ts';
import { advanceOrigin } from './replication-origin.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';
import { dropRelation } from './storage.ts';
import { relationLocatorSize, TransactionEnd } from './transaction-end.ts';
import { forgetPrepared, prepare } from './two-phase.ts';
import { XidList } from './xid-list.ts';

/** `XLOG_XACT_OPMASK`. */
const opMask = 0x70;

const ops: Readonly<Partial<Record<number, Effect>>> = {
  0x00: commit,
  0x10: prepare,
  0x20: abort,
  0x30: commit, // COMMIT_PREPARED
  0x40: abort, // ABORT_PREPARED
  0x50: nothing, // ASSIGNMENT: which subtransaction belongs where is for hot standbys
  0x60: nothing, // INVALIDATIONS: caches of running backends
};

const end = new TransactionEnd();
const xids = new XidList();
const stamp: CommitStamp = { time_us: 0, origin: 0 };

export function ingestTransaction(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & opMask];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

/** `xact_redo_commit`. */
function commit(state: IngestState, record: WalRecord): void {
  finish(state, record, clogStatus.committed);
  stamp.time_us = end.hasOrigin ? end.originTime_us : end.time_us;
  stamp.origin = record.origin;
  setCommitTimestamps(state, record.end, stamp, xids);
}

/** `xact_redo_abort`. */
function abort(state: IngestState, record: WalRecord): void {
  finish(state, record, clogStatus.aborted);
}

/** What commit and abort share. Leaves the record's parts in `end` and `xids`. */
function finish(state: IngestState, record: WalRecord, status: ClogStatus): void {
  end.read(record, state.data.open(record), state.major);
  const xid = end.preparedXid === 0 ? record.xid : end.preparedXid;
  xids.set(xid, record.view, end.children, end.childCount);
  for (let each = 0; each < xids.count; each += 1) state.checkpoint.passXid(xids.at(each));
  state.lastTransactionEnd_us = end.time_us;

  setClogStatus(state, record.end, status, xids);
  if (end.hasOrigin) advanceOrigin(state, record.end, record.origin, end.originLsn);
  for (let each = 0; each < end.relationCount; each += 1) {
    dropRelation(state, record, end.relations + each * relationLocatorSize);
  }
  if (end.preparedXid !== 0) forgetPrepared(state, record.end, end.preparedXid);
}

function nothing(): void {
  // Nothing that outlives the server that wrote it.
}
