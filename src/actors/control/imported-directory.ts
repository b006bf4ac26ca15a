/**
 * ImportedDirectory: what a timeline must know of the data directory it grows from.
 */
import { readFileSync } from 'node:fs';
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
  const segment = readFileSync(join(path, 'pg_wal', segmentName(number, walSegmentSize)));
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  const at = segmentOffset(lastRecordStart, walSegmentSize);
  const size = RecordHeader.totalSize.get(view, at);
  const startLsn = recordEndAfter(lastRecordStart, size, walSegmentSize);
  const end = segmentOffset(startLsn, walSegmentSize);
  ensure(end > at, 'import_not_shut_down', { path, reason: 'the checkpoint crosses segments' });
  const head = segment.subarray(segmentOffset(walPageStart(startLsn), walSegmentSize), end);
  return { path, major, systemId, segment_bytes: walSegmentSize, startLsn, lastRecordStart, head };
}
