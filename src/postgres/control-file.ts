/**
 * ControlFile: `global/pg_control`, what a Postgres reads first (`ControlFileData`,
 * src/include/catalog/pg_control.h). 8192 bytes, of which 296 are used, with a CRC-32C over all
 * fields before it.
 */
import { crc32c } from '../base/crc32c.ts';
import { ensure } from '../base/failure.ts';
import { lsn, lsnZero, type Lsn } from '../base/lsn.ts';
import { bytes, i32, i64, lsnField, padding, struct, u32, u8, type Field } from '../base/struct.ts';
import {
  checkpointSize,
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpoint,
} from './checkpoint.ts';
import { catalogVersion, majors, type Major } from './major.ts';
import { pageSize } from './page.ts';
import { systemIdField, type SystemId } from './system-id.ts';
import { isSegmentSize, walPageSize } from './wal-page.ts';

/** `PG_CONTROL_FILE_SIZE`. */
const controlFileSize = 8_192;
/** `DBState`, as far as we write it or care. */
export const clusterStates = { startup: 0, shutDown: 1, shutDownInRecovery: 2, inProduction: 6 };

const common = {
  systemId: systemIdField,
  controlVersion: u32,
  catalogVersion: u32,
  state: i32,
  padState: padding(4),
  time_s: i64,
  checkpointAt: lsnField,
  checkpoint: bytes(checkpointSize),
  unloggedLsn: lsnField,
  minRecoveryPoint: lsnField,
  minRecoveryTimelineId: u32,
  padRecovery: padding(4),
  backupStart: lsnField,
  backupEnd: lsnField,
  backupEndRequired: u8,
  padBackup: padding(3),
  walLevel: i32,
  walLogHints: u8,
  padHints: padding(3),
  maxConnections: i32,
  maxWorkerProcesses: i32,
  maxWalSenders: i32,
  maxPreparedTransactions: i32,
  maxLocksPerTransaction: i32,
  trackCommitTimestamp: u8,
  padTrack: padding(3),
  maxAlign: u32,
  floatFormat: bytes(8),
  blockSize: u32,
  relationSegmentBlocks: u32,
  walBlockSize: u32,
  walSegmentSize: u32,
  nameLength: u32,
  indexMaxKeys: u32,
  toastMaxChunkSize: u32,
  largeObjectChunkSize: u32,
  float8ByValue: u8,
  padFloat8: padding(3),
  dataChecksumVersion: u32,
};
/** `MOCK_AUTH_NONCE_LEN`. */
const nonce = bytes(32);

/** `ControlFileData` of majors 15 to 17. */
export const ControlFile15 = struct(
  { ...common, nonce, crc: u32, padEnd: padding(4) },
  { size: 296 },
);
/** `ControlFileData` of major 18. */
export const ControlFile18 = struct(
  { ...common, defaultCharSignedness: u8, nonce, padCrc: padding(3), crc: u32 },
  { size: 296 },
);

interface Version {
  readonly controlVersion: number;
  readonly crc: Field<number>;
}
/** `PG_CONTROL_VERSION`: of the file's own format. */
const versions: Readonly<Record<Major, Version>> = {
  15: { controlVersion: 1_300, crc: ControlFile15.crc },
  16: { controlVersion: 1_300, crc: ControlFile15.crc },
  17: { controlVersion: 1_700, crc: ControlFile15.crc },
  18: { controlVersion: 1_800, crc: ControlFile18.crc },
};
/** `RELSEG_SIZE`: blocks per segment file of a relation, 1 GiB. */
const relationSegmentBlocks = 131_072;
/** `FirstNormalUnloggedLSN`: where the fake LSNs of unlogged relations begin. */
const firstUnloggedLsn = lsn(1_000);

export interface ControlFile {
  readonly major: Major;
  readonly systemId: SystemId;
  /** One of `clusterStates`, or a passing one. */
  readonly state: number;
  /** Where the last checkpoint's record starts. */
  readonly checkpointAt: Lsn;
  readonly checkpoint: Checkpoint;
  /** In bytes. */
  readonly walSegmentSize: number;
  /** Pages have Postgres's checksum. */
  readonly dataChecksums: boolean;
  /** `wal_level`: 0 minimal, 1 replica, 2 logical. */
  readonly walLevel: number;
  /** Recovery must reach this; 0 unless the cluster was recovering. */
  readonly minRecoveryPoint: Lsn;
  readonly backupEndRequired: boolean;
}

/**
 * Reads a control file. Fails (`corrupt`) with `control_file_version_unknown`,
 * `control_file_checksum_mismatch` or, built with other sizes than ours, `control_file_unsupported`.
 */
export function readControlFile(file: Uint8Array): ControlFile {
  const view = viewOf(file);
  const major = majorOf(view);
  const { crc } = versions[major];
  const expected = crc.get(view, 0);
  const actual = crc32c(file, 0, crc.offset);
  ensure(actual === expected, 'control_file_checksum_mismatch', { expected, actual });
  ensureSizes(view);
  return {
    major,
    systemId: ControlFile15.systemId.get(view, 0),
    state: ControlFile15.state.get(view, 0),
    checkpointAt: ControlFile15.checkpointAt.get(view, 0),
    checkpoint: decodeCheckpoint(view, ControlFile15.checkpoint.offset, major),
    walSegmentSize: ControlFile15.walSegmentSize.get(view, 0),
    dataChecksums: ControlFile15.dataChecksumVersion.get(view, 0) !== 0,
    walLevel: ControlFile15.walLevel.get(view, 0),
    minRecoveryPoint: ControlFile15.minRecoveryPoint.get(view, 0),
    backupEndRequired: ControlFile15.backupEndRequired.get(view, 0) !== 0,
  };
}

/** The shutdown checkpoint a cluster is to start from. */
export interface ShutdownPoint {
  /** Where its record starts. */
  readonly at: Lsn;
  readonly checkpoint: Checkpoint;
  /** Seconds since 1970. */
  readonly time_s: number;
}

/**
 * The control file of a cluster that was shut down at `point`, made from one of the same cluster:
 * Postgres starts from it without any redo.
 */
export function buildControlFile(imported: Uint8Array, point: ShutdownPoint): Uint8Array {
  const { major } = readControlFile(imported);
  const file = new Uint8Array(controlFileSize);
  file.set(imported.subarray(0, ControlFile15.size));
  const view = viewOf(file);
  ControlFile15.state.set(view, 0, clusterStates.shutDown);
  ControlFile15.time_s.set(view, 0, point.time_s);
  ControlFile15.checkpointAt.set(view, 0, point.at);
  ControlFile15.checkpoint.set(view, 0, encodeCheckpoint(point.checkpoint, major));
  ControlFile15.unloggedLsn.set(view, 0, firstUnloggedLsn);
  ControlFile15.minRecoveryPoint.set(view, 0, lsnZero);
  ControlFile15.minRecoveryTimelineId.set(view, 0, 0);
  ControlFile15.backupStart.set(view, 0, lsnZero);
  ControlFile15.backupEnd.set(view, 0, lsnZero);
  ControlFile15.backupEndRequired.set(view, 0, 0);
  const { crc } = versions[major];
  crc.set(view, 0, crc32c(file, 0, crc.offset));
  return file;
}

/** The major whose versions the file has; 15 and 16 differ in the catalog's only. */
function majorOf(view: DataView): Major {
  ensure(view.byteLength >= ControlFile15.size, 'control_file_version_unknown', {
    size: view.byteLength,
  });
  const controlVersion = ControlFile15.controlVersion.get(view, 0);
  const catalog = ControlFile15.catalogVersion.get(view, 0);
  const found = majors.find(
    (each) => versions[each].controlVersion === controlVersion && catalogVersion(each) === catalog,
  );
  ensure(found !== undefined, 'control_file_version_unknown', { controlVersion, catalog });
  return found;
}

function ensureSizes(view: DataView): void {
  const blockSize = ControlFile15.blockSize.get(view, 0);
  const walBlockSize = ControlFile15.walBlockSize.get(view, 0);
  const blocks = ControlFile15.relationSegmentBlocks.get(view, 0);
  const walSegmentSize = ControlFile15.walSegmentSize.get(view, 0);
  const known =
    blockSize === pageSize && walBlockSize === walPageSize && blocks === relationSegmentBlocks;
  ensure(known && isSegmentSize(walSegmentSize), 'control_file_unsupported', {
    blockSize,
    walBlockSize,
    blocks,
    walSegmentSize,
  });
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}
