/** An acceptor's log on a disk whose syncs fail. */
import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailed } from '../../../src/base/assert.ts';
import { lsnZero } from '../../../src/base/lsn.ts';
import { WalLog } from '../../../src/actors/acceptor/wal-log.ts';
import { SeededRandom } from '../../../src/io/random.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { SimulatedDisk } from '../../sim/simulated-disk.ts';
import { recordEnds, systemIdOf } from '../quorum-host.ts';

const fixture = walFixture(18);
const { start } = fixture;
const end = recordEnds(fixture)[99]!;
const bytes = fixture.bytes.subarray(0, end - start);

function logOn(disk: SimulatedDisk): WalLog {
  const format = {
    major: 18,
    segmentSize: fixtureSegmentSize,
    systemId: systemIdOf(fixture),
    headLsn: start,
  };
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

test('WalLog: a start needs no room on a full disk', () => {
  const disk = new SimulatedDisk(new SeededRandom(1));
  const log = logOn(disk);
  log.writeHead(new Uint8Array(0));
  log.append(bytes);
  log.sync();
  disk.room = 0;

  equal(startOn(disk).recordEnd, end);
});
