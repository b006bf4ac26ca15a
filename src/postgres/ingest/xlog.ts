/**
 * The XLOG resource manager: checkpoints, counters and parameters
 * (`xlog_redo`, src/backend/access/transam/xlog.c). Its full-page images are blocks like any other.
 */
import { checkpointSize, decodeCheckpoint, type Checkpoint } from '../checkpoint.ts';
import { type WalRecord } from '../wal-record.ts';
import { changeCommitTimestamps } from './commit-timestamp.ts';
import { unknownRecord } from './record-failure.ts';
import { type Effect, type IngestState } from './state.ts';

const ops: Readonly<Partial<Record<number, Effect>>> = {
  0x00: shutdownCheckpoint,
  0x10: onlineCheckpoint,
  0x20: nothing, // NOOP
  0x30: nextOid,
  0x40: nothing, // SWITCH: the rest of the segment is empty, which the reader knows
  0x50: nothing, // BACKUP_END: of no base backup of ours
  0x60: parameterChange,
  0x70: nothing, // RESTORE_POINT: a name for people
  0x80: fullPageWritesChange,
  0x90: endOfRecovery,
  0xa0: nothing, // FPI_FOR_HINT: its blocks say it all
  0xb0: nothing, // FPI
  0xd0: nothing, // OVERWRITE_CONTRECORD: the reader has skipped what was lost
  0xe0: nothing, // CHECKPOINT_REDO: where redo begins, but we never begin there
};

/** `xl_parameter_change`: five limits and wal_level, then wal_log_hints. */
const beforeWalLevel = 20;

export function ingestXlog(state: IngestState, record: WalRecord): void {
  const op = ops[record.info & 0xf0];
  if (op === undefined) throw unknownRecord(record);
  op(state, record);
}

function shutdownCheckpoint(state: IngestState, record: WalRecord): void {
  state.checkpoint.shutDown(checkpointOf(state, record));
}

function onlineCheckpoint(state: IngestState, record: WalRecord): void {
  state.checkpoint.online(checkpointOf(state, record));
}

function checkpointOf(state: IngestState, record: WalRecord): Checkpoint {
  const at = state.data.open(record).skip(checkpointSize);
  return decodeCheckpoint(record.view, at, state.major);
}

/** Believed exactly: the counter may have wrapped around. */
function nextOid(state: IngestState, record: WalRecord): void {
  state.checkpoint.change().nextOid = state.data.open(record).u32();
}

function parameterChange(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  data.skip(beforeWalLevel);
  state.checkpoint.setWalLevel(data.u32());
  data.skip(1); // wal_log_hints
  changeCommitTimestamps(state, record.end, data.u8() !== 0);
}

function fullPageWritesChange(state: IngestState, record: WalRecord): void {
  state.checkpoint.change().fullPageWrites = state.data.open(record).u8() !== 0;
}

/** `xl_end_of_recovery`: WAL goes on under a new timeline id. */
function endOfRecovery(state: IngestState, record: WalRecord): void {
  const data = state.data.open(record);
  data.skip(8); // end_time
  const fields = state.checkpoint.change();
  fields.timelineId = data.u32();
  fields.previousTimelineId = data.u32();
}

function nothing(): void {
  // Nothing of the timeline's state.
}
