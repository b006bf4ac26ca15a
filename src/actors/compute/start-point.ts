/**
 * StartPoint: the shutdown checkpoint a compute starts from, appended where the log ends, and the
 * files of a data directory that point at it (docs/start.md).
 */
import { assert } from '../../base/assert.ts';
import { type Lsn } from '../../base/lsn.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../postgres/checkpoint.ts';
import { buildControlFile } from '../../postgres/control-file.ts';
import { resourceManagers } from '../../postgres/resource-managers.ts';
import { parseSystemId } from '../../postgres/system-id.ts';
import { recordStartAfter, segmentName, walTimelineId } from '../../postgres/wal-page.ts';
import { firstSegments, placeRecord } from '../../postgres/wal-writer.ts';
import { type TimelineState } from '../timeline/protocol.ts';

export interface StartPointOptions {
  readonly state: TimelineState;
  readonly major: number;
  readonly systemId: string;
  readonly segmentSize: number;
  readonly now_ms: number;
}

export interface StartPoint {
  readonly state: TimelineState;
  /** The end of the log before the checkpoint: every page is read as of here, or later. */
  readonly startLsn: Lsn;
  /** WAL from `startLsn` on: any page header due there, and the checkpoint record. */
  readonly wal: Uint8Array;
  readonly controlFile: Uint8Array;
  /** Files of `pg_wal`: one, or two when the record crosses into the next segment. */
  readonly segments: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** `XLOG_CHECKPOINT_SHUTDOWN`. */
const checkpointShutdown = 0x00;
/** `wal_level` = replica. */
const walLevelReplica = 1;

export function startPoint(options: StartPointOptions): StartPoint {
  const { state, major, segmentSize, now_ms } = options;
  const identity = {
    major,
    segmentSize,
    systemId: parseSystemId(options.systemId),
    timelineId: walTimelineId,
  };
  assert(state.lastRecordStart !== null, 'a compute starts from the end of the log');
  const time_s = Math.floor(now_ms / 1_000);
  const start = recordStartAfter(state.at, segmentSize);
  const { buffer, byteOffset, byteLength } = state.checkpoint;
  const tracked = decodeCheckpoint(new DataView(buffer, byteOffset, byteLength), 0, major);
  const checkpoint = {
    ...tracked,
    redo: start,
    timelineId: walTimelineId,
    previousTimelineId: walTimelineId,
    fullPageWrites: false,
    walLevel: tracked.walLevel === null ? null : walLevelReplica,
    time_s,
    oldestActiveXid: 0,
  };
  const wal = placeRecord(identity, state.at, {
    rmgr: resourceManagers.xlog,
    info: checkpointShutdown,
    xid: 0,
    previous: state.lastRecordStart,
    main: encodeCheckpoint(checkpoint, major),
  });
  const segments = firstSegments(identity, wal).map(({ segment, bytes }) => {
    return { name: segmentName(segment, segmentSize), bytes };
  });
  const controlFile = buildControlFile(state.controlFile, { at: wal.start, checkpoint, time_s });
  return { state, startLsn: state.at, wal: wal.bytes, controlFile, segments };
}
