/**
 * ImportedDirectory: what a timeline must know of the data directory it grows from.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ensure } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { clusterStates, readControlFile } from '../../postgres/control-file.ts';
import {
  recordEndAfter,
  segmentName,
  segmentNumber,
  segmentOffset,
  walPageStart,
} from '../../postgres/wal-page.ts';
import { RecordHeader } from '../../postgres/wal-record.ts';

export interface ImportedDirectory {
  readonly path: string;
  readonly major: number;
  readonly systemId: string;
  readonly segment_bytes: number;
  /** The end of the log: just after its shutdown checkpoint. */
  readonly startLsn: Lsn;
  readonly lastRecordStart: Lsn;
  /** The last page's bytes up to there. */
  readonly head: Uint8Array;
}

/** Fails with `import_not_shut_down`, or with what a damaged control file fails with. */
export function inspectDirectory(path: string): ImportedDirectory {
  const control = readControlFile(readFileSync(join(path, 'global', 'pg_control')));
  const { major, systemId, checkpointAt: lastRecordStart, walSegmentSize } = control;
  ensure(control.state === clusterStates.shutDown, 'import_not_shut_down', { path });
  const number = segmentNumber(lastRecordStart, walSegmentSize);
  const segment = join(path, 'pg_wal', segmentName(number, walSegmentSize));
  const at = segmentOffset(lastRecordStart, walSegmentSize);
  const length = readPart(segment, at, RecordHeader.totalSize.size);
  const size = RecordHeader.totalSize.get(new DataView(length.buffer), 0);
  const startLsn = recordEndAfter(lastRecordStart, size, walSegmentSize);
  const end = segmentOffset(startLsn, walSegmentSize);
  ensure(end > at, 'import_not_shut_down', { path, reason: 'the checkpoint crosses segments' });
  const page = segmentOffset(walPageStart(startLsn), walSegmentSize);
  const head = readPart(segment, page, end - page);
  return { path, major, systemId, segment_bytes: walSegmentSize, startLsn, lastRecordStart, head };
}

/** A few bytes of a segment, in memory of their own: `head` is kept, and a segment is 16 MiB. */
function readPart(path: string, at: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const file = openSync(path, 'r');
  try {
    const found = readSync(file, bytes, 0, size, at);
    ensure(found === size, 'import_not_shut_down', { path, reason: 'the checkpoint is not there' });
  } finally {
    closeSync(file);
  }
  return bytes;
}
