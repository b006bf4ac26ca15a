/**
 * What others may say to a `filesystem` actor, and the snapshot a mount begins with.
 *
 * One actor is one FUSE mount: the versioned part of one compute's data directory (`base/`,
 * `global/`, `pg_xact/`, `pg_multixact/`, `pg_commit_ts/`, `pg_twophase/`). It mounts when it starts
 * and unmounts when it stops.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';

export interface FilesystemOptions {
  /** An existing empty directory, or a dead mount of a predecessor. */
  readonly mountPoint: string;
  /** A local directory for the upper layer. Its files are unlinked while open: nothing stays. */
  readonly scratchDirectory: string;
  /** Owner of every file: who runs Postgres. */
  readonly uid: number;
  readonly gid: number;
  readonly snapshot: MountSnapshot;
  readonly lower: LowerSource;
  /** Threads that answer reads and writes. */
  readonly readers: number;
  /** Hard limit of the upper layer: extending a file beyond it is answered with ENOSPC. */
  readonly upperMax_bytes: number;
  /** Trimming begins above this size of the upper layer; 0 trims whatever may be trimmed. */
  readonly upperTarget_bytes: number;
  readonly readAhead_bytes: number;
  /** Path of the actor told when the mount can no longer be trusted; null for nobody. */
  readonly owner: string | null;
}

/** State of the lower layer at `floor`: what exists, but no page. */
export interface MountSnapshot {
  /** Every page read from the lower layer is a version at or after this LSN. */
  readonly floor: Lsn;
  /** Directories `base/<database>` to make, also when no relation is in them. */
  readonly databases: readonly number[];
  readonly relations: readonly ForkSnapshot[];
  readonly slruSegments: readonly SlruSegmentSnapshot[];
  readonly files: readonly FileSnapshot[];
}

/** One fork of one relation; tablespace 1663 is `base/`, 1664 is `global/`. */
export interface ForkSnapshot {
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  /** 0 main, 1 fsm, 2 vm, 3 init. */
  readonly fork: number;
  readonly blocks: number;
}

/** 0 `pg_xact`, 1 `pg_multixact/members`, 2 `pg_multixact/offsets`, 3 `pg_commit_ts`. */
export interface SlruSegmentSnapshot {
  readonly slru: number;
  readonly segment: number;
  readonly blocks: number;
}

/** A file that is not made of pages, such as `base/5/PG_VERSION` or `global/pg_control`. */
export interface FileSnapshot {
  /** Relative to the data directory. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Where reader threads find pages that Postgres has not written: a module, imported by each of
 * them, that exports `openLower(options: unknown, reader: number): LowerPages` (lower-pages.ts).
 */
export interface LowerSource {
  readonly moduleUrl: string;
  /** Plain data; SharedArrayBuffers and MessagePorts allowed. */
  readonly options: unknown;
}

/** What `timeline-pages.ts`, the lower layer that is a timeline, is opened with. */
export interface TimelinePagesOptions {
  /** The timeline's number. */
  readonly timeline: number;
  readonly cache: SharedArrayBuffer;
  /** One for each reader thread. */
  readonly channels: readonly SharedArrayBuffer[];
  readonly bell: SharedArrayBuffer;
}

/** Ask for this *before* running the SQL of a sample: it says which writes came before the sample. */
export interface MarkWrites extends Ask<'markWrites', MarkWritesResult> {
  readonly kind: 'markWrites';
}
export interface MarkWritesResult {
  readonly writeMark: number;
}

/**
 * One look at Postgres, in one SQL statement, and at the timeline after it. Two of them decide which
 * written pages may be dropped.
 */
export interface SampleTaken extends Tell<'sampleTaken'> {
  /** From `markWrites`, asked before the SQL ran. */
  readonly writeMark: number;
  /** `pg_current_wal_insert_lsn()`. */
  readonly insertLsn: Lsn;
  /**
   * Full 64-bit xids: one above every xid assigned so far, and the oldest that still runs. The
   * snapshot's xmax will not do for the first: it is one above the last *finished* xid.
   */
  readonly nextXid: number;
  readonly xmin: number;
  /** How far the timeline behind the lower layer has ingested. */
  readonly ingestedLsn: Lsn;
}

/** Resolves when a trim round that began after this message is over. */
export interface TrimUpper extends Ask<'trimUpper', TrimUpperResult> {
  readonly kind: 'trimUpper';
}
export interface TrimUpperResult {
  readonly trimmedBlocks: number;
  readonly cancelledBlocks: number;
}

export interface DescribeMount extends Ask<'describeMount', DescribeMountResult> {
  readonly kind: 'describeMount';
}
export interface DescribeMountResult {
  readonly floor: Lsn;
  readonly upper_bytes: number;
  readonly inodes: number;
  readonly reads: number;
  readonly writes: number;
  readonly lowerBlocksRead: number;
  readonly trimmedBlocks: number;
  readonly cancelledBlocks: number;
}

/** A tick to oneself. */
export interface TrimDue extends Tell<'trimDue'> {
  readonly kind: 'trimDue';
}

/** A reader thread found the mount broken, or died. */
export interface ReaderEnded extends Tell<'readerEnded'> {
  readonly reader: number;
  readonly reason: string;
}

export type FilesystemMessage =
  MarkWrites | SampleTaken | TrimUpper | DescribeMount | TrimDue | ReaderEnded;

/** Told to the owner: pages were lost (disk full) or readers died. Kill the compute. */
export interface MountFailed extends Tell<'mountFailed'> {
  readonly mountPoint: string;
  readonly reason: string;
}
