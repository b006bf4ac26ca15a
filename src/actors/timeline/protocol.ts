/**
 * What a timeline understands. Path: `timeline/<timeline id>`, on the storage thread.
 *
 * Pages do not pass here: blocking readers ask for them over a page channel, by the timeline's
 * number.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type Ask } from '../../runtime/actor.ts';

/** Committed WAL, in order: `begin` is where the previous one ended. Answered once it is ingested. */
export interface IngestWal extends Ask<'ingestWal', IngestWalResult> {
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
}
export interface IngestWalResult {
  /** Where the next bytes must begin. */
  readonly receivedLsn: Lsn;
  /** End of the last complete record ingested: pages can be read at any LSN up to here. */
  readonly ingestedLsn: Lsn;
}

/** Where the timeline stands. */
export interface DescribeTimeline extends Ask<'describeTimeline', TimelineDescription> {
  readonly kind: 'describeTimeline';
}
export interface TimelineDescription {
  readonly id: string;
  /** The number blocking readers address the timeline by. Given anew at every start. */
  readonly number: number;
  readonly major: number;
  readonly systemId: string;
  /** First LSN of this timeline: its branch point, or the end of the imported directory's log. */
  readonly startLsn: Lsn;
  readonly receivedLsn: Lsn;
  readonly ingestedLsn: Lsn;
  /** Start of the last record ingested: the next record's `xl_prev`. */
  readonly lastRecordStart: Lsn;
  /** What a restart has without reading WAL again. */
  readonly diskConsistentLsn: Lsn;
  /** Why ingest stopped for good, in words; null while it goes on. */
  readonly halted: string | null;
  readonly layerCount: number;
  readonly layerBytes: number;
  readonly openBytes: number;
}

/** Waits until everything up to `at` is ingested, or fails with `timeline_behind`. */
export interface WaitForLsn extends Ask<'waitForLsn', { readonly ingestedLsn: Lsn }> {
  readonly at: Lsn;
  readonly timeout_ms: number;
}

/** The state a compute starts from, as of `at`. Everything up to `at` must be ingested. */
export interface DescribeState extends Ask<'describeState', TimelineState> {
  readonly at: Lsn;
}
export interface TimelineState {
  readonly at: Lsn;
  readonly lastRecordStart: Lsn;
  /** The control file as imported: what a new one is derived from. */
  readonly controlFile: Uint8Array;
  /** `CheckPoint` struct: counters no transaction before `at` has passed. */
  readonly checkpoint: Uint8Array;
  readonly databases: readonly DatabaseState[];
  readonly relations: readonly RelationState[];
  readonly slruSegments: readonly SlruState[];
  readonly preparedTransactions: readonly PreparedTransaction[];
}
export interface DatabaseState {
  readonly tablespace: number;
  /** 0 for the shared catalogs. */
  readonly database: number;
  /** Text of PG_VERSION; empty for the shared catalogs, which have none. */
  readonly version: Uint8Array;
  /** `pg_filenode.map`. */
  readonly relationMap: Uint8Array | null;
}
export interface RelationState {
  readonly tablespace: number;
  readonly database: number;
  readonly relation: number;
  readonly fork: number;
  readonly blocks: number;
}
export interface SlruState {
  readonly slru: number;
  readonly segment: number;
  readonly blocks: number;
}
export interface PreparedTransaction {
  /** Full 64-bit transaction id. */
  readonly xid: number;
  /** The state file, with its checksum. */
  readonly bytes: Uint8Array;
}

/**
 * The record end at or before `at`, where a branch may be cut. Fails with `lsn_before_history` or
 * `lsn_in_future`.
 */
export interface FindBranchPoint extends Ask<'findBranchPoint', BranchPoint> {
  /** null: the end of what is ingested. */
  readonly at: Lsn | null;
}
export interface BranchPoint {
  readonly lsn: Lsn;
  readonly lastRecordStart: Lsn;
}

/** Writes the open layer out, so that a restart needs no WAL before what is ingested now. */
export interface FlushTimeline extends Ask<'flushTimeline', { readonly diskConsistentLsn: Lsn }> {
  readonly kind: 'flushTimeline';
}

export type TimelineMessage =
  IngestWal | DescribeTimeline | WaitForLsn | DescribeState | FindBranchPoint | FlushTimeline;
