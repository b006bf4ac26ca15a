/**
 * WalFiles: a folder of WAL segments as one stream of bytes from a position on.
 *
 * Of several files for a segment that of the newest timeline counts, which begins with what the older
 * one had. The last file may be cut short or end in what an earlier use of it left.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../src/base/failure.ts';
import { formatLsn, type Lsn } from '../../src/base/lsn.ts';
import { type Major } from '../../src/postgres/major.ts';
import { segmentNumber, segmentOffset } from '../../src/postgres/wal-page.ts';
import { WalReader } from '../../src/postgres/wal-reader.ts';
import { WalRecord, decodeRecord } from '../../src/postgres/wal-record.ts';

export interface WalSource {
  readonly directory: string;
  readonly major: Major;
  readonly segmentSize: number;
  readonly start: Lsn;
}

/** How the stream ended. */
export interface WalEnd {
  /** End of the last whole record. */
  readonly end: Lsn;
  /** Start of the last whole record; 0 when there was none. */
  readonly lastRecord: Lsn;
  /** In words. */
  readonly why: string;
  /** Files after the one in which it ended: WAL that was not read. */
  readonly filesLeft: number;
}

/** Hands every record to `visit`, decoded, in order; says where and why it ended. */
export function readWal(source: WalSource, visit: (record: WalRecord) => void): WalEnd {
  const { major, segmentSize, start } = source;
  const reader = new WalReader(start, { major, segmentSize });
  const record = new WalRecord();
  const files = segmentFiles(source);
  let why = files.length === 0 ? 'there is no segment with the start' : 'the last file ends';
  let used = 0;
  for (const bytes of files.map((file) => () => readFileSync(file))) {
    const file = used === 0 ? bytes().subarray(segmentOffset(start, segmentSize)) : bytes();
    used += 1;
    try {
      reader.push(file);
      while (nextRecord(reader, record, major)) visit(record);
    } catch (error) {
      if (!(error instanceof TornWal)) throw error;
      why = error.message;
      break;
    }
    if (reader.atEnd !== 'needsBytes') {
      why = `${reader.atEnd} at ${formatLsn(reader.recordEnd)}`;
      break;
    }
  }
  const { recordEnd: end, lastRecordStart: lastRecord } = reader;
  return { end, lastRecord, why, filesLeft: files.length - used };
}

/** Bytes that are no WAL: an end of the log, as Postgres itself takes it. */
class TornWal extends Error {}

function nextRecord(reader: WalReader, record: WalRecord, major: Major): boolean {
  try {
    if (!reader.next(record)) return false;
    decodeRecord(record, major);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'corrupt') throw new TornWal(error.message);
    throw error;
  }
}

/** Without a gap, from the segment that has the start. */
function segmentFiles({ directory, segmentSize, start }: WalSource): readonly string[] {
  const perId = 2 ** 32 / segmentSize;
  const newest = new Map<number, { readonly timeline: number; readonly name: string }>();
  for (const name of readdirSync(directory)) {
    const found = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?$/.exec(name);
    if (found === null) continue;
    const [timeline, id, low] = found.slice(1, 4).map((hex) => parseInt(hex, 16));
    const segment = id! * perId + low!;
    const known = newest.get(segment);
    if (known === undefined || known.timeline < timeline!)
      newest.set(segment, { timeline: timeline!, name });
  }
  const files: string[] = [];
  for (let segment = segmentNumber(start, segmentSize); ; segment += 1) {
    const file = newest.get(segment);
    if (file === undefined) return files;
    files.push(join(directory, file.name));
  }
}
