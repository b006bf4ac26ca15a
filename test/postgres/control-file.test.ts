/** Control files, checkpoints and synthetic WAL against real clusters, which must start from them. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { formatLsn, lsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/postgres/checkpoint.ts';
import {
  buildControlFile,
  clusterStates,
  readControlFile,
  type ControlFile,
} from '../../src/postgres/control-file.ts';
import { majors } from '../../src/postgres/major.ts';
import { parseSegmentName, segmentName, segmentStart } from '../../src/postgres/wal-page.ts';
import { scanWal } from '../../src/postgres/wal-scan.ts';
import { firstSegments, placeRecord, type WalIdentity } from '../../src/postgres/wal-writer.ts';
import { makeCluster, ownedBy, type PostgresCluster } from './postgres-cluster.ts';

const clusters = new Map<number, PostgresCluster>();
after(() => {
  for (const cluster of clusters.values()) cluster.remove();
});

function cluster(major: number): PostgresCluster {
  const known = clusters.get(major) ?? makeCluster(major, '--wal-segsize=1');
  clusters.set(major, known);
  return known;
}

function controlBytes(of: PostgresCluster): Uint8Array {
  return new Uint8Array(readFileSync(join(of.directory, 'global/pg_control')));
}

for (const major of majors) {
  test(`ControlFile: that of a fresh ${major} cluster says what initdb did`, () => {
    const file = controlBytes(cluster(major));

    const control = readControlFile(file);

    equal(control.major, major);
    equal(control.state, clusterStates.shutDown);
    equal(control.walSegmentSize, 2 ** 20);
    equal(control.walLevel, 1);
    equal(control.dataChecksums, major >= 18);
    equal(control.checkpoint.redo, control.checkpointAt);
    equal(control.checkpoint.walLevel, major >= 17 ? 1 : null);
    equal(control.checkpoint.timelineId, 1);
    equal(control.checkpoint.oldestXidDatabase, 1);
    ok(control.checkpoint.nextOid > 10_000);
    ok(Math.abs(control.checkpoint.time_s - Date.now() / 1_000) < 600);
  });

  test(`ControlFile: a fresh ${major} cluster’s can be built again, byte for byte`, () => {
    const file = controlBytes(cluster(major));
    const { checkpointAt: at, checkpoint } = readControlFile(file);
    const time_s = Number(new DataView(file.buffer).getBigInt64(24, true));

    const built = buildControlFile(file, { at, checkpoint, time_s });

    deepEqual(built, file);
  });

  test(`Checkpoint: ${major} encodes what it decodes, the padding as zeros`, () => {
    const { checkpoint } = readControlFile(controlBytes(cluster(major)));
    const encoded = encodeCheckpoint({ ...checkpoint, nextXid: 3 * 2 ** 32 + 5 }, major);

    const decoded = decodeCheckpoint(new DataView(encoded.buffer), 0, major);

    deepEqual(decoded, { ...checkpoint, nextXid: 3 * 2 ** 32 + 5 });
  });
}

test('ControlFile: a changed byte, another version or other sizes are refused', () => {
  const file = controlBytes(cluster(15));
  const changed = file.slice();
  const versioned = file.slice();

  changed[100]! ^= 1;
  versioned[12]! ^= 1;

  throws(() => readControlFile(changed), { code: 'control_file_checksum_mismatch' });
  throws(() => readControlFile(versioned), { code: 'control_file_version_unknown' });
  throws(() => readControlFile(file.subarray(0, 200)), { code: 'control_file_version_unknown' });
});

/** Replaces the cluster's WAL by one shutdown checkpoint whose record follows on `begin`. */
function restartAt(of: PostgresCluster, begin: Lsn): { start: Lsn; end: Lsn; files: number } {
  const file = controlBytes(of);
  const control = readControlFile(file);
  const identity: WalIdentity = { ...identityOf(control), timelineId: 1 };
  const record = { rmgr: 0, info: 0, xid: 0, previous: control.checkpointAt };
  const blank = encodeCheckpoint(control.checkpoint, control.major);
  const { start } = placeRecord(identity, begin, { ...record, main: blank });
  const checkpoint = {
    ...control.checkpoint,
    redo: start,
    nextXid: control.checkpoint.nextXid + 1_024,
  };
  const main = encodeCheckpoint(checkpoint, control.major);
  const wal = placeRecord(identity, begin, { ...record, main });
  const files = firstSegments(identity, wal);

  writeWal(of, files, control.walSegmentSize);
  const built = buildControlFile(file, { at: start, checkpoint, time_s: checkpoint.time_s });
  writeFileSync(join(of.directory, 'global/pg_control'), built);
  return { start, end: wal.end, files: files.length };
}

function identityOf(control: ControlFile): Omit<WalIdentity, 'timelineId'> {
  const { major, systemId, walSegmentSize: segmentSize } = control;
  return { major, systemId, segmentSize };
}

function writeWal(
  of: PostgresCluster,
  files: ReturnType<typeof firstSegments>,
  size: number,
): void {
  const directory = join(of.directory, 'pg_wal');
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  mkdirSync(join(directory, 'archive_status'));
  ownedBy(of, 'pg_wal/archive_status');
  for (const { segment, bytes } of files) {
    const name = join('pg_wal', segmentName(segment, size));
    writeFileSync(join(of.directory, name), bytes);
    ownedBy(of, name);
  }
}

/** Scans the cluster's WAL from `start` on. */
async function scanCluster(of: PostgresCluster, start: Lsn): ReturnType<typeof scanWal> {
  const directory = join(of.directory, 'pg_wal');
  const identity = identityOf(readControlFile(controlBytes(of)));
  return scanWal(start, identity, (at) => {
    const { segmentSize } = identity;
    const name = readdirSync(directory).find((each) => {
      const parsed = parseSegmentName(each, segmentSize);
      return parsed !== null && parsed.segment === Math.floor(at / segmentSize);
    });
    if (name === undefined) return new Uint8Array(0);
    const base = segmentStart(Math.floor(at / segmentSize), segmentSize);
    return readFileSync(join(directory, name)).subarray(at - base);
  });
}

const places = [
  ['in the middle of a page', '0/7001230', 1],
  ['at the start of a page', '0/8002000', 1],
  ['at the start of a segment', '0/9000000', 1],
  ['across a page boundary', '0/A003FC0', 1],
  ['with its header cut by a page boundary', '0/B003FF8', 1],
  ['across a segment boundary', '0/C0FFFE0', 2],
  ['up to the very end of a segment', '0/D0FFF88', 1],
] as const;
for (const major of [15, 18])
  for (const [where, position, files] of places)
    test(`WalWriter: stock Postgres ${major} starts from a checkpoint placed ${where}`, async () => {
      const postgres = cluster(major);
      const made = restartAt(postgres, parseLsn(position));

      const printed = postgres.run('create table t (a int); drop table t; select 6 * 7 as answer');

      match(printed, /answer = "42"/);
      const scan = await scanCluster(postgres, parseLsn(position));
      const after = readControlFile(controlBytes(postgres));
      equal(made.files, files);
      ok(scan.records > 5);
      equal(formatLsn(scan.lastRecordStart), formatLsn(after.checkpointAt));
      ok(after.checkpoint.nextXid > 1_024);
    });

test('WalScan: a log cut within a record ends before it, and bytes running out says so', async () => {
  const postgres = cluster(15);
  const begin = lsn(0xe00_0000);
  const { end } = restartAt(postgres, begin);
  const path = join(postgres.directory, 'pg_wal', segmentName(0xe0, 2 ** 20));
  const bytes = new Uint8Array(readFileSync(path));
  const { systemId } = readControlFile(controlBytes(postgres));
  const options = { major: 15, segmentSize: 2 ** 20, systemId };
  function upTo(limit: number): (at: Lsn) => Uint8Array {
    return (at) => bytes.subarray(at - begin, Math.min(limit, at - begin + 7));
  }

  const whole = await scanWal(begin, options, upTo(end - begin));
  const cut = await scanWal(begin, options, upTo(end - begin - 1));

  deepEqual([whole.end, whole.reason, whole.records], [end, 'needsBytes', 1]);
  deepEqual([cut.end, cut.reason, cut.records], [begin, 'needsBytes', 0]);
});
