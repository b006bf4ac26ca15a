/**
 * Wal: the log of a server that crashed, read record by record; and the CPU time that takes.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { inspectDirectory } from '../src/actors/control/imported-directory.ts';
import { type Lsn } from '../src/base/lsn.ts';
import { type Major } from '../src/postgres/major.ts';
import { segmentName, segmentNumber, segmentOffset } from '../src/postgres/wal-page.ts';
import { WalReader } from '../src/postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../src/postgres/wal-record.ts';

/** Where the log of a directory that was shut down ends, and what follows it elsewhere begins. */
export type Start = ReturnType<typeof inspectDirectory>;

const streamed_bytes = 2 ** 20;

/** A data directory's log from `start` on, a segment at a time, each in memory of its own. */
export function* readWal(directory: string, start: Start): Generator<Uint8Array> {
  let skip = segmentOffset(start.startLsn, start.segment_bytes);
  for (const path of segmentPaths(directory, start)) {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch {
      return; // the last segment there is
    }
    yield bytes.subarray(skip);
    skip = 0;
  }
}

/** The same in pieces, each valid until the next. */
export function* streamWal(directory: string, start: Start): Generator<Uint8Array> {
  const piece = new Uint8Array(streamed_bytes);
  let at = segmentOffset(start.startLsn, start.segment_bytes);
  for (const path of segmentPaths(directory, start)) {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch {
      return; // the last segment there is
    }
    for (let got = 0; (got = readSync(file, piece, 0, piece.length, at)) > 0; at += got)
      yield piece.subarray(0, got);
    closeSync(file);
    at = 0;
  }
}

/** Names of the segments from the one that holds the start on, without an end. */
function* segmentPaths(
  directory: string,
  { startLsn, segment_bytes }: Start,
): Generator<string, never> {
  for (let number = segmentNumber(startLsn, segment_bytes); ; number += 1)
    yield join(directory, 'pg_wal', segmentName(number, segment_bytes));
}

/** Decodes every record and returns the end of the last one. */
export function forEachRecord(
  { startLsn, lastRecordStart, segment_bytes: segmentSize, major }: Start,
  chunks: Iterable<Uint8Array>,
  visit: (record: WalRecord) => void,
): Lsn {
  const options = { major: major as Major, segmentSize, previous: lastRecordStart, trusted: true };
  const reader = new WalReader(startLsn, options);
  const record = new WalRecord();
  let end = startLsn;
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next(record)) {
      decodeRecord(record, major);
      visit(record);
      end = reader.recordEnd;
    }
    if (reader.atEnd !== 'needsBytes') break;
  }
  return end;
}

/**
 * Seconds of CPU this thread uses from now on. The kernel counts them in ticks: work that is over
 * within one is told by the clock instead.
 */
export function stopwatch(): () => number {
  const began_ms = performance.now();
  const before = used_s();
  return () => {
    const cpu_s = used_s() - before;
    return cpu_s > 0 ? cpu_s : (performance.now() - began_ms) / 1_000;
  };
}

function used_s(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
