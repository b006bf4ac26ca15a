/** Commit and abort records with everything they can carry. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../../src/base/crc32c.ts';
import { keyKinds } from '../../../src/base/key.ts';
import { lsn, lsnZero } from '../../../src/base/lsn.ts';
import { i64, u64 } from '../../../src/base/struct.ts';
import { type Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { originProgress } from '../../../src/postgres/ingest/replication-origin.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { concat, family, fields, timeline, walRecord, words } from './records.ts';
import { type MemoryTip } from './memory-tip.ts';

const { transaction } = resourceManagers;
const commitPrepared = 0x30;
const abort = 0x20;
const prepare = 0x10;
const hasInfo = 0x80;
const preparedXid = 750;
const relation = family(keyKinds.relationSize, {
  tablespace: 1_663,
  database: 5,
  relation: 17_000,
});
const visibilityMap = { ...relation, fork: 2 };

/** A commit of a prepared transaction with all parts; `item` is the size of a dropped statistic. */
function everything(item: number): Uint8Array {
  return concat(
    fields([i64, 123_456_789]),
    words(0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x80 | 0x100),
    words(5, 1_663), //                    database and its tablespace
    words(2, 751, 40_000), //              subtransactions
    words(1, 1_663, 5, 17_000), //         relations to drop
    words(2),
    new Uint8Array(2 * item).fill(0xee), // dropped statistics
    words(1),
    new Uint8Array(16).fill(0xdd), //      invalidations
    words(preparedXid),
    new TextEncoder().encode('gid\0'),
    fields([u64, 0x5_0000_0050], [i64, 777]), // origin: LSN and time
  );
}

/** Two bits of a transaction's status. */
function status(tip: MemoryTip, xid: number): number {
  const blocks = family(keyKinds.slruBlock);
  const page = tip.page(tip.key(blocks, Math.floor(xid / 32_768)));
  return (page![Math.floor((xid % 32_768) / 4)]! >> ((xid % 4) * 2)) & 3;
}

for (const [major, item] of [
  [15, 12],
  [16, 12],
  [17, 12],
  [18, 16],
] as const) {
  test(`transaction: a commit record of ${String(major)} is read to its end`, () => {
    const { tip, ingest } = timeline(major);
    const size = new Uint8Array(4);
    tip.put(tip.key(relation, 0), lsnZero, true, size);
    tip.put(tip.key(visibilityMap, 0), lsnZero, true, size);

    ingest.record(commitOf(everything(item)));

    deepEqual(
      [preparedXid, 751, 40_000, 752].map((xid) => status(tip, xid)),
      [1, 1, 1, 0],
    );
    deepEqual([tip.value(relation)!.length, tip.value(visibilityMap)!.length], [0, 0]);
    const origin = tip.value(family(keyKinds.auxFile, { tablespace: 1, relation: 3 }))!;
    equal(originProgress(origin), lsn(0x5_0000_0050));
    equal(ingest.lastTransactionEnd_us, 123_456_789);
  });
}

function commitOf(main: Uint8Array): ReturnType<typeof walRecord> {
  return walRecord({ rmgr: transaction, info: commitPrepared | hasInfo, xid: 0, origin: 3, main });
}

test('transaction: an abort marks its subtransactions too, and drops what it made', () => {
  const { tip, ingest } = timeline(15);
  tip.put(tip.key(relation, 0), lsnZero, true, new Uint8Array(4));
  const main = concat(words(0, 0, 0x2 | 0x4, 1, 901), words(1, 1_663, 5, 17_000));

  ingest.record(walRecord({ rmgr: transaction, info: abort | hasInfo, xid: 900, main }));

  deepEqual([status(tip, 900), status(tip, 901)], [2, 2]);
  equal(tip.value(relation)!.length, 0);
});

test('transaction: a prepared one is its record and a checksum, until it ends', () => {
  const { tip, ingest } = timeline(15, { nextXid: 3 * 2 ** 32 + 700 });
  const state = family(keyKinds.twoPhase, { relation: 3 });
  const main = new Uint8Array([1, 2, 3, 4, 5]);

  ingest.record(walRecord({ rmgr: transaction, info: prepare, xid: preparedXid, main }));
  const file = tip.value(state, preparedXid)!.slice();
  ingest.record(commitOf(everything(12)));

  deepEqual([...file.subarray(0, 5)], [...main]);
  equal(new DataView(file.buffer).getUint32(5, true), crc32c(main));
  equal(tip.value(state, preparedXid)!.length, 0);
});

test('transaction: a prepared one from another server moves its origin', () => {
  const { tip, ingest } = timeline(18);
  const header = concat(new Uint8Array(56), fields([u64, 0x6_0000_0060], [i64, 5]));

  ingest.record(
    walRecord({ rmgr: transaction, info: prepare, xid: preparedXid, origin: 4, main: header }),
  );

  const origin = tip.value(family(keyKinds.auxFile, { tablespace: 1, relation: 4 }))!;
  equal(originProgress(origin), lsn(0x6_0000_0060));
});

test('transaction: an origin never goes back, unless it is forced', () => {
  const { tip, ingest } = timeline(15);
  const origin = family(keyKinds.auxFile, { tablespace: 1, relation: 3 });
  setOrigin(ingest, 500, 0);
  setOrigin(ingest, 400, 0);
  equal(originProgress(tip.value(origin)!), 500);
  setOrigin(ingest, 400, 1);
  equal(originProgress(tip.value(origin)!), 400);
});

/** Says that origin 3 was applied up to `at`. */
function setOrigin(ingest: Ingest, at: number, force: number): void {
  const main = concat(fields([u64, at]), new Uint8Array([3, 0, force]));
  ingest.record(walRecord({ rmgr: resourceManagers.replicationOrigin, info: 0, main }));
}
