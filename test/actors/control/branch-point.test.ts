import { rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { findRecordEnd, type StoredWal } from '../../../src/actors/control/branch-point.ts';
import { lsn } from '../../../src/base/lsn.ts';

test('branch point: an LSN before the stored WAL is refused, and nothing is read', async () => {
  const segmentSize = 16 * 2 ** 20;
  const wal: StoredWal = {
    major: 18,
    segmentSize,
    firstLsn: lsn(segmentSize),
    endLsn: lsn(segmentSize + 4_096),
    read: (from, size) => Promise.reject(new Error(`read ${size} at ${from}`)),
  };

  await rejects(findRecordEnd(wal, lsn(16)), { code: 'lsn_before_history' });
});
