/** SLRU segments come and go, also around the wrap. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds, keyFamily } from '../../../src/base/key.ts';
import { u32, u64 } from '../../../src/base/struct.ts';
import { slruKinds, type SlruKind } from '../../../src/postgres/ingest/slru-store.ts';
import { multixactMembersPerPage } from '../../../src/postgres/redo/slru.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { family, fields, timeline, walRecord, words } from './records.ts';
import { type MemoryTip } from './memory-tip.ts';
import { storedCheckpoint } from './recovery.ts';

const { clog, multixact, commitTs } = resourceManagers;
const xidsPerSegment = 1_048_576;

function segments(tip: MemoryTip, kind: SlruKind): number[] {
  const live = [...tip.liveKeys(keyKinds.slruSize, kind, 0)];
  return live.map((key) => tip.families.family(keyFamily(key)).relation).sort((a, b) => a - b);
}

test('clog: a truncation drops the segments wholly before the cutoff, and moves the oldest xid', () => {
  const { tip, ingest } = timeline(15, { nextXid: 3 * xidsPerSegment });
  for (let page = 0; page < 96; page += 1) {
    ingest.record(walRecord({ rmgr: clog, info: 0x00, main: words(page) }));
  }
  const oldest = 2 * xidsPerSegment + 5;

  ingest.record(walRecord({ rmgr: clog, info: 0x10, main: words(64, oldest, 7) }));

  deepEqual(segments(tip, slruKinds.clog), [2]);
  const { oldestXid, oldestXidDatabase } = storedCheckpoint(tip, 15);
  deepEqual([oldestXid, oldestXidDatabase], [oldest, 7]);
});

test('clog: from 17 on page numbers are 64 bits wide', () => {
  const { tip, ingest } = timeline(18, { nextXid: 2 * xidsPerSegment });
  ingest.record(walRecord({ rmgr: clog, info: 0x00, main: fields([u64, 3]) }));
  ingest.record(walRecord({ rmgr: clog, info: 0x00, main: fields([u64, 32]) }));

  const main = fields([u64, 33], [u32, xidsPerSegment], [u32, 1]);
  ingest.record(walRecord({ rmgr: clog, info: 0x10, main }));

  deepEqual(segments(tip, slruKinds.clog), [1]);
});

test('clog: before the wrap, segments after it are the newer ones', () => {
  const { tip, ingest } = timeline(15, { nextXid: 2 ** 32 + 10, oldestXid: 4_200_000_000 });
  for (const page of [131_071, 131_040, 0]) {
    ingest.record(walRecord({ rmgr: clog, info: 0x00, main: words(page) }));
  }

  ingest.record(walRecord({ rmgr: clog, info: 0x10, main: words(0, 4, 1) }));

  deepEqual(segments(tip, slruKinds.clog), [0]);
});

test('clog: a cutoff beyond the newest xid drops nothing', () => {
  const { tip, ingest } = timeline(15, { nextXid: 100 });
  ingest.record(walRecord({ rmgr: clog, info: 0x00, main: words(0) }));

  ingest.record(walRecord({ rmgr: clog, info: 0x10, main: words(64, 50, 1) }));

  deepEqual(segments(tip, slruKinds.clog), [0]);
});

test('multixact: a truncation drops offsets before the oldest and members up to its own', () => {
  const { tip, ingest } = timeline(15, { nextMulti: 200_000, nextMultiOffset: 200_000 });
  for (const page of [0, 32, 64, 96]) {
    ingest.record(walRecord({ rmgr: multixact, info: 0x00, main: words(page) }));
    ingest.record(walRecord({ rmgr: multixact, info: 0x10, main: words(page) }));
  }
  const membersEnd = 64 * multixactMembersPerPage + 3;

  ingest.record(
    walRecord({ rmgr: multixact, info: 0x30, main: words(9, 1, 70_000, 0, membersEnd) }),
  );

  deepEqual(segments(tip, slruKinds.multixactOffsets), [1, 2, 3]);
  deepEqual(segments(tip, slruKinds.multixactMembers), [2, 3]);
  const { oldestMulti, oldestMultiDatabase } = storedCheckpoint(tip, 15);
  deepEqual([oldestMulti, oldestMultiDatabase], [70_000, 9]);
});

test('multixact: members are truncated around the wrap', () => {
  const { tip, ingest } = timeline(15, { nextMulti: 100, nextMultiOffset: 100 });
  const last = Math.floor(0xffff_ffff / (multixactMembersPerPage * 32));
  for (const segment of [last - 1, last, 0, 1]) {
    ingest.record(walRecord({ rmgr: multixact, info: 0x10, main: words(segment * 32) }));
  }
  const start = last * 32 * multixactMembersPerPage;
  const end = 32 * multixactMembersPerPage;

  ingest.record(walRecord({ rmgr: multixact, info: 0x30, main: words(1, 1, 50, start, end) }));

  deepEqual(segments(tip, slruKinds.multixactMembers), [1, last - 1]);
});

test('multixact: members that run over the last offset go on at the first', () => {
  const { tip, ingest } = timeline(15, { nextMulti: 10, nextMultiOffset: 0xffff_fffe });
  const members = [11, 4, 12, 5, 13, 0];

  ingest.record(
    walRecord({ rmgr: multixact, info: 0x20, main: words(10, 0xffff_fffe, 3, ...members) }),
  );

  const first = tip.page(tip.key(family(keyKinds.slruBlock, { tablespace: 1 }), 0))!;
  equal(first[4], 13);
  const { nextMultiOffset } = storedCheckpoint(tip, 15);
  equal(nextMultiOffset, 1);
});

test('multixact: an offsets page made early is not wiped by its own record', () => {
  const { tip, ingest } = timeline(15, { nextMulti: 2_047, nextMultiOffset: 40 });
  ingest.record(walRecord({ rmgr: multixact, info: 0x00, main: words(0) }));
  ingest.record(
    walRecord({ rmgr: multixact, info: 0x20, main: words(2_047, 40, 2, 700, 0, 701, 0) }),
  );

  ingest.record(walRecord({ rmgr: multixact, info: 0x00, main: words(1) }));

  const page = tip.page(tip.key(family(keyKinds.slruBlock, { tablespace: 2 }), 1))!;
  equal(new DataView(page.buffer).getUint32(0, true), 42);
});

test('multixact: the xids of its members are passed', () => {
  const { ingest } = timeline(15, { nextXid: 5_000 });

  ingest.record(
    walRecord({ rmgr: multixact, info: 0x20, main: words(1, 1, 2, 5_007, 0, 4_000, 4) }),
  );

  equal(ingest.nextXid, 5_008);
});

test('commit timestamps: a truncation moves the oldest and drops segments', () => {
  const { tip, ingest } = timeline(15, { oldestCommitTsXid: 10, newestCommitTsXid: 100_000 });
  for (const page of [0, 32]) {
    ingest.record(walRecord({ rmgr: commitTs, info: 0x00, main: words(page) }));
  }

  ingest.record(walRecord({ rmgr: commitTs, info: 0x10, main: words(40, 32_800) }));

  deepEqual(segments(tip, slruKinds.commitTimestamps), [1]);
  equal(storedCheckpoint(tip, 15).oldestCommitTsXid, 32_800);
});
