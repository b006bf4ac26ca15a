/**
 * Hops: takes a stopped cluster's counters far ahead, as pg_resetwal does, so that a test meets numbers
 * that wrap around. Counters may go ahead by less than 2^31 at once, and everything must be frozen before.
 */
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeCheckpoint } from '../../src/postgres/checkpoint.ts';
import { buildControlFile, readControlFile } from '../../src/postgres/control-file.ts';
import { pageSize } from '../../src/postgres/page.ts';
import { clogXidsPerPage, multixactMembersPerPage } from '../../src/postgres/redo/slru.ts';
import { resourceManagers } from '../../src/postgres/resource-managers.ts';
import { segmentName, segmentNumber, segmentStart } from '../../src/postgres/wal-page.ts';
import { firstSegments, placeRecord } from '../../src/postgres/wal-writer.ts';
import { lsnZero } from '../../src/base/lsn.ts';

const nobody = 65_534;
const offsetsPerPage = pageSize / 4;
const pagesPerSlruSegment = 32;
const segmentBytes = pagesPerSlruSegment * pageSize;
const shutdownInfo = 0x00;

/** Xids and multixact ids go on at `next`, multixact members at `nextMember`. */
export function hop(directory: string, next: number, nextMember: number): void {
  const path = join(directory, 'global', 'pg_control');
  const file = new Uint8Array(readFileSync(path));
  const control = readControlFile(file);
  const { major, systemId, walSegmentSize: segmentSize } = control;
  const begin = segmentStart(
    segmentNumber(control.checkpointAt, segmentSize) + segmentsAhead,
    segmentSize,
  );
  const identity = { major, systemId, segmentSize, timelineId: control.checkpoint.timelineId };
  const record = { rmgr: resourceManagers.xlog, info: shutdownInfo, xid: 0, previous: lsnZero };
  const counters = { nextXid: next, nextMulti: next, nextMultiOffset: nextMember };
  const commitTimestamps = { oldestCommitTsXid: 0, newestCommitTsXid: 0 };
  const changed = { ...control.checkpoint, ...counters, ...commitTimestamps };
  const at = placeRecord(identity, begin, { ...record, main: new Uint8Array(1) }).start;
  const checkpoint = { ...changed, redo: at };
  const main = encodeCheckpoint(checkpoint, major);
  const wal = placeRecord(identity, begin, { ...record, main });
  const folder = join(directory, 'pg_wal');
  for (const name of readdirSync(folder))
    if (/^[0-9A-F]{24}$/.test(name)) rmSync(join(folder, name));
  for (const { segment, bytes } of firstSegments(identity, wal))
    write(join(folder, segmentName(segment, segmentSize, identity.timelineId)), bytes);
  write(path, buildControlFile(file, { at, checkpoint, time_s: checkpoint.time_s }));
  ensureSegment(directory, 'pg_xact', next / clogXidsPerPage);
  ensureSegment(directory, 'pg_multixact/offsets', next / offsetsPerPage);
  ensureSegment(directory, 'pg_multixact/members', nextMember / multixactMembersPerPage);
}

const segmentsAhead = 3;

/** Zeros, where the server will look for the page its counter is on. */
function ensureSegment(directory: string, slru: string, page: number): void {
  const segment = Math.floor(page / pagesPerSlruSegment);
  const name = segment.toString(16).toUpperCase().padStart(4, '0');
  const path = join(directory, slru, name);
  if (!existsSync(path)) write(path, new Uint8Array(segmentBytes));
}

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  chownSync(path, nobody, nobody);
}
