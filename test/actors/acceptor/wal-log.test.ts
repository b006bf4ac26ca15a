/** An acceptor's log: on disks whose syncs fail or that are full, and where it begins. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailed } from '../../../src/base/assert.ts';
import { lsn, lsnZero, parseLsn } from '../../../src/base/lsn.ts';
import { WalLog } from '../../../src/actors/acceptor/wal-log.ts';
import { SeededRandom } from '../../../src/io/random.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { parseSystemId } from '../../../src/postgres/system-id.ts';
import { WalLongPageHeader, walPageSize, walTimelineId } from '../../../src/postgres/wal-page.ts';
import { placeRecord } from '../../../src/postgres/wal-writer.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { SimulatedDisk } from '../../sim/simulated-disk.ts';
import { recordEnds, systemIdOf } from '../quorum-host.ts';

const fixture = walFixture(18);
const { start } = fixture;
const end = recordEnds(fixture)[99]!;
const bytes = fixture.bytes.subarray(0, end - start);

const format = {
  major: 18,
  segmentSize: fixtureSegmentSize,
  systemId: systemIdOf(fixture),
  headLsn: start,
};
const message = { rmgr: resourceManagers.logicalMessage, info: 0, xid: 0 };

function logOn(disk: SimulatedDisk): WalLog {
  return new WalLog(disk, '/wal', format, { end: start, start: lsnZero });
}

function startOn(disk: SimulatedDisk): WalLog {
  const log = logOn(disk);
  log.scan();
  return log;
}

test('WalLog: what a start finds is on disk when it says so, also when a sync had failed', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const disk = new SimulatedDisk(new SeededRandom(seed));
    const log = logOn(disk);
    log.writeHead(new Uint8Array(0));
    log.append(bytes);
    disk.failSyncAfter(1);
    throws(() => {
      log.sync();
    }, AssertionFailed);
    disk.startProcess();

    const found = startOn(disk).recordEnd;
    disk.losePower();

    equal(found, end);
    ok(startOn(disk).recordEnd >= found, `seed=${seed}`);
  }
});

test('WalLog: the oldest position is where a record ended, also at the start of a page', () => {
  const log = logOn(new SimulatedDisk(new SeededRandom(1)));
  log.writeHead(new Uint8Array(0));
  log.append(bytes);
  const [first] = fixture.listing.map((line) => line.split('|').slice(0, 3).map(parseLsn));
  equal(first![0], start + WalLongPageHeader.size, 'no record goes on into this segment');
  log.moveAnchor({ end, start: log.lastRecordStart });

  const oldest = log.oldestPosition(lsn(start - fixtureSegmentSize));

  deepEqual(oldest, { end: start, start: first![2] });
});

test('WalLog: the oldest position is behind a record whose beginning is gone', () => {
  const boundary = lsn(start + fixtureSegmentSize);
  const identity = {
    ...format,
    systemId: parseSystemId(format.systemId),
    timelineId: walTimelineId,
  };
  const long = { ...message, previous: lsnZero, main: new Uint8Array(2 * walPageSize) };
  const before = placeRecord(identity, lsn(boundary - walPageSize), long);
  const short = { ...message, previous: before.start, main: new Uint8Array(64) };
  const after = placeRecord(identity, before.end, short);
  const anchor = { end: before.begin, start: lsnZero };
  const log = new WalLog(new SimulatedDisk(new SeededRandom(1)), '/wal', format, anchor);
  log.writeHead(new Uint8Array(0));
  for (const { bytes } of [before, after]) log.append(bytes);
  log.sync();
  log.moveAnchor({ end: after.end, start: after.start });
  log.removeBelow(boundary);

  const oldest = log.oldestPosition(start);

  equal(log.firstLsn, boundary);
  deepEqual(oldest, { end: before.end, start: before.start });
});

test('WalLog: a start needs no room on a full disk', () => {
  const disk = new SimulatedDisk(new SeededRandom(1));
  const log = logOn(disk);
  log.writeHead(new Uint8Array(0));
  log.append(bytes);
  log.sync();
  disk.room = 0;

  equal(startOn(disk).recordEnd, end);
});
