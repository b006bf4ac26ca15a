/** The counters a start needs, record by record. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCheckpoint, type Checkpoint } from '../../../src/postgres/checkpoint.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { fields, timeline, walRecord, words } from './records.ts';
import { storedCheckpoint } from './recovery.ts';
import { u32, u8 } from '../../../src/base/struct.ts';

const { xlog, standby, transaction } = resourceManagers;
const message = { rmgr: resourceManagers.logicalMessage, info: 0 };

test('checkpoint: it is stored once per 1024 xids, ahead of all of them', () => {
  const { tip, ingest } = timeline(15, { nextXid: 700 });
  const before = tip.puts;

  for (let xid = 700; xid < 700 + 4_096; xid += 1) {
    ingest.record(walRecord({ ...message, xid }));
    equal(storedCheckpoint(tip, 15).nextXid > xid, true);
  }

  equal(tip.puts - before, 5);
});

test('checkpoint: the bound is a multiple of 1024, so no clog page is skipped', () => {
  const { tip, ingest } = timeline(15, { nextXid: 32_767 });

  ingest.record(walRecord({ ...message, xid: 32_767 }));

  equal(storedCheckpoint(tip, 15).nextXid, 32_768);
});

test('checkpoint: an ingest that begins later starts at the bound', () => {
  const { tip, ingest } = timeline(15, { nextXid: 700 });
  ingest.record(walRecord({ ...message, xid: 720 }));

  const later = new Ingest(15, tip);

  equal(ingest.nextXid, 721);
  equal(later.nextXid, 1_024);
});

test('checkpoint: an oid is believed even when it goes back', () => {
  const { tip, ingest } = timeline(15, { nextOid: 4_000_000_000 });

  ingest.record(walRecord({ rmgr: xlog, info: 0x30, main: words(16_384) }));

  equal(storedCheckpoint(tip, 15).nextOid, 16_384);
});

test('checkpoint: an online one moves counters only forward, and never the oid', () => {
  const { tip, ingest } = timeline(15, { nextXid: 5_000, nextOid: 50_000, nextMulti: 70 });
  const older = checkpoint({
    nextXid: 4_000,
    nextOid: 90_000,
    nextMulti: 60,
    nextMultiOffset: 300,
  });

  ingest.record(walRecord({ rmgr: xlog, info: 0x10, main: encodeCheckpoint(older, 15) }));

  const { nextXid, nextOid, nextMulti, nextMultiOffset } = storedCheckpoint(tip, 15);
  deepEqual([nextXid, nextOid, nextMulti, nextMultiOffset], [5_000, 50_000, 70, 300]);
});

test('checkpoint: a shutdown one is believed exactly', () => {
  const { tip, ingest } = timeline(15, { nextXid: 5_000, nextOid: 50_000, nextMulti: 70 });
  const exact = checkpoint({ nextXid: 4_999, nextOid: 40_000, nextMulti: 60 });

  ingest.record(walRecord({ rmgr: xlog, info: 0x00, main: encodeCheckpoint(exact, 15) }));

  deepEqual(storedCheckpoint(tip, 15), exact);
});

test('checkpoint: an online one says which transaction is the oldest active', () => {
  const { tip, ingest } = timeline(15);
  const online = checkpoint({ oldestActiveXid: 690, time_s: 1_234 });

  ingest.record(walRecord({ rmgr: xlog, info: 0x10, main: encodeCheckpoint(online, 15) }));

  const { oldestActiveXid, time_s } = storedCheckpoint(tip, 15);
  deepEqual([oldestActiveXid, time_s], [690, 1_234]);
});

test('checkpoint: a commit of one prepared before a shutdown moves the newest commit', () => {
  const newest = { oldestCommitTsXid: 600, newestCommitTsXid: 695 };
  const { tip, ingest } = timeline(15, { nextXid: 700, ...newest });
  const main = words(0, 0, 0x10, 698); // time, xinfo: was prepared, by xid

  ingest.record(walRecord({ rmgr: transaction, info: 0xb0, main }));

  const { nextXid, newestCommitTsXid } = storedCheckpoint(tip, 15);
  deepEqual([nextXid, newestCommitTsXid], [700, 698]);
});

test('checkpoint: running transactions pass xids that have written nothing', () => {
  const { tip, ingest } = timeline(15, { nextXid: 5_000 });
  const running = words(1, 0, 0, 6_000, 5_990, 5_999, 5_990);

  ingest.record(walRecord({ rmgr: standby, info: 0x10, main: running }));

  equal(ingest.nextXid, 6_000);
  equal(storedCheckpoint(tip, 15).oldestActiveXid, 5_990);
});

test('checkpoint: subtransactions of a commit are passed', () => {
  const { ingest } = timeline(15, { nextXid: 5_000 });
  const main = words(0, 0, 2, 2, 5_001, 5_009); // time, xinfo: has subtransactions, two of them

  ingest.record(walRecord({ rmgr: transaction, info: 0x80, xid: 5_000, main }));

  equal(ingest.nextXid, 5_010);
});

test('checkpoint: full_page_writes and the timeline id follow their records', () => {
  const { tip, ingest } = timeline(15);

  ingest.record(walRecord({ rmgr: xlog, info: 0x80, main: fields([u8, 0]) }));
  ingest.record(walRecord({ rmgr: xlog, info: 0x90, main: words(0, 0, 3, 2) }));

  const { fullPageWrites, timelineId, previousTimelineId } = storedCheckpoint(tip, 15);
  deepEqual([fullPageWrites, timelineId, previousTimelineId], [false, 3, 2]);
});

test('checkpoint: wal_level is kept where checkpoints say it', () => {
  const main = fields(
    ...[100, 8, 10, 0, 64, 2].map((value) => [u32, value] as const),
    [u8, 0],
    [u8, 0],
  );

  for (const [major, expected] of [
    [15, null],
    [18, 2],
  ] as const) {
    const { tip, ingest } = timeline(major);
    ingest.record(walRecord({ rmgr: xlog, info: 0x60, main }));
    ingest.record(walRecord({ rmgr: xlog, info: 0x30, main: words(1) }));
    equal(storedCheckpoint(tip, major).walLevel, expected);
  }
});

function checkpoint(changed: Partial<Checkpoint>): Checkpoint {
  return { ...storedCheckpoint(timeline(15).tip, 15), ...changed };
}
