/**
 * BranchPoint: the end of the last record at or before an LSN, found in stored WAL.
 *
 * Reading can begin at any page: its header says how much of an older record comes first. So a few
 * pages before the LSN are read, and more when a record is longer than that.
 */
import { ensure } from '../../base/failure.ts';
import { formatLsn, lsn, type Lsn } from '../../base/lsn.ts';
import { walPageSize, walPageStart } from '../../postgres/wal-page.ts';
import { WalReader } from '../../postgres/wal-reader.ts';
import { WalRecord } from '../../postgres/wal-record.ts';
import { type BranchPoint } from '../timeline/protocol.ts';

export interface StoredWal {
  readonly major: number;
  readonly segmentSize: number;
  /** Nothing is stored before this page start. */
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
  readonly read: (from: Lsn, size: number) => Promise<Uint8Array>;
}

const firstLookBack = 8 * walPageSize;

/** Fails with `lsn_before_history` when no whole record ends at or before `at`. */
export async function findRecordEnd(wal: StoredWal, at: Lsn): Promise<BranchPoint> {
  ensure(at > wal.firstLsn, 'lsn_before_history', { lsn: formatLsn(at) });
  for (let lookBack = firstLookBack; ; lookBack *= 4) {
    const from = lsn(Math.max(wal.firstLsn, walPageStart(at) - lookBack));
    const end = Math.min(wal.endLsn, at);
    const point = lastRecordBy(wal, from, await wal.read(from, end - from), at);
    if (point !== null) return point;
    ensure(from > wal.firstLsn, 'lsn_before_history', { lsn: formatLsn(at) });
  }
}

function lastRecordBy(wal: StoredWal, from: Lsn, bytes: Uint8Array, at: Lsn): BranchPoint | null {
  const { major, segmentSize } = wal;
  const reader = new WalReader(from, { major, segmentSize, seek: true });
  const record = new WalRecord();
  let point: BranchPoint | null = null;
  reader.push(bytes);
  while (reader.next(record) && reader.recordEnd <= at) {
    point = { lsn: reader.recordEnd, lastRecordStart: reader.lastRecordStart };
  }
  return point;
}
