/**
 * Checkpoint: what a checkpoint record and the control file say about the whole cluster: `CheckPoint`
 * of src/include/catalog/pg_control.h.
 */
import { assert } from '../base/assert.ts';
import { ensure } from '../base/failure.ts';
import { type Lsn } from '../base/lsn.ts';
import { i32, i64, lsnField, padding, struct, u32, u64, u8 } from '../base/struct.ts';
import { ensureMajor, type Major } from './major.ts';

export interface Checkpoint {
  /** Where redo begins; for a shutdown checkpoint the start of its own record. */
  readonly redo: Lsn;
  readonly timelineId: number;
  readonly previousTimelineId: number;
  readonly fullPageWrites: boolean;
  /** `wal_level` (0 minimal, 1 replica, 2 logical); null before major 17, which does not say. */
  readonly walLevel: number | null;
  /** `FullTransactionId`: the epoch times 2^32 plus the xid. */
  readonly nextXid: number;
  readonly nextOid: number;
  readonly nextMulti: number;
  readonly nextMultiOffset: number;
  readonly oldestXid: number;
  readonly oldestXidDatabase: number;
  readonly oldestMulti: number;
  readonly oldestMultiDatabase: number;
  /** Seconds since 1970. */
  readonly time_s: number;
  /** 0 when commit timestamps are off. */
  readonly oldestCommitTsXid: number;
  readonly newestCommitTsXid: number;
  /** 0 unless it is an online checkpoint. */
  readonly oldestActiveXid: number;
}

const head = { redo: lsnField, timelineId: u32, previousTimelineId: u32, fullPageWrites: u8 };
const tail = {
  nextXid: u64,
  nextOid: u32,
  nextMulti: u32,
  nextMultiOffset: u32,
  oldestXid: u32,
  oldestXidDatabase: u32,
  oldestMulti: u32,
  oldestMultiDatabase: u32,
  padTime: padding(4),
  time_s: i64,
  oldestCommitTsXid: u32,
  newestCommitTsXid: u32,
  oldestActiveXid: u32,
  padEnd: padding(4),
};

/** `sizeof(CheckPoint)`, in every major. */
export const checkpointSize = 88;
/** `CheckPoint` of majors 15 and 16. */
export const Checkpoint15 = struct(
  { ...head, padXid: padding(7), ...tail },
  { size: checkpointSize },
);
/** `CheckPoint` of majors 17 and 18: the padding has become `wal_level`. */
export const Checkpoint17 = struct(
  { ...head, padLevel: padding(3), walLevel: i32, ...tail },
  { size: checkpointSize },
);

/** Which struct has the field `walLevel`, if any. */
const walLevels: Readonly<Record<Major, typeof Checkpoint17.walLevel | null>> = {
  15: null,
  16: null,
  17: Checkpoint17.walLevel,
  18: Checkpoint17.walLevel,
};

/** Fields that all majors have at the same place, read and written as they are. */
const numbers = [
  'timelineId',
  'previousTimelineId',
  'nextXid',
  'nextOid',
  'nextMulti',
  'nextMultiOffset',
  'oldestXid',
  'oldestXidDatabase',
  'oldestMulti',
  'oldestMultiDatabase',
  'time_s',
  'oldestCommitTsXid',
  'newestCommitTsXid',
  'oldestActiveXid',
] as const;

/** Reads the struct at `at`. Fails with `checkpoint_invalid` when it is cut short or senseless. */
export function decodeCheckpoint(view: DataView, at: number, major: number): Checkpoint {
  const walLevelField = walLevels[ensureMajor(major)];
  const left = view.byteLength - at;
  ensure(left >= checkpointSize, 'checkpoint_invalid', { left });
  const fields = {} as Record<(typeof numbers)[number], number>;
  for (const name of numbers) fields[name] = Checkpoint15[name].get(view, at);
  const { nextXid } = fields;
  ensure(Number.isSafeInteger(nextXid) && nextXid >= 3, 'checkpoint_invalid', { nextXid });
  return {
    redo: Checkpoint15.redo.get(view, at),
    fullPageWrites: Checkpoint15.fullPageWrites.get(view, at) !== 0,
    walLevel: walLevelField === null ? null : walLevelField.get(view, at),
    ...fields,
  };
}

/** The struct's bytes: `checkpointSize` of them. */
export function encodeCheckpoint(checkpoint: Checkpoint, major: number): Uint8Array {
  const walLevelField = walLevels[ensureMajor(major)];
  const { walLevel } = checkpoint;
  assert((walLevel === null) === (walLevelField === null), 'wal_level is known from 17 on');
  const bytes = new Uint8Array(checkpointSize);
  const view = new DataView(bytes.buffer);
  Checkpoint15.redo.set(view, 0, checkpoint.redo);
  Checkpoint15.fullPageWrites.set(view, 0, checkpoint.fullPageWrites ? 1 : 0);
  for (const name of numbers) Checkpoint15[name].set(view, 0, checkpoint[name]);
  walLevelField?.set(view, 0, walLevel ?? 0);
  return bytes;
}
