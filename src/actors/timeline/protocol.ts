/**
 * What a timeline understands. Path: `timeline/<timeline id>`, on the storage thread.
 *
 * Pages do not pass here: blocking readers ask for them over a page channel, by the timeline's
 * number.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type OriginProgress } from '../../postgres/replication-origins.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';

/** What every timeline is started with. */
export interface TimelineSettings {
  readonly openLayerMax_bytes: number;
  readonly imagePagesMin: number;
  readonly pageCache: SharedArrayBuffer;
}

/** What a timeline is started with. */
export interface TimelineOptions {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** What blocking readers call it, unique in this host while it runs. */
  readonly number: number;
  /** Holds `manifest.json` and `layers/`. */
  readonly folder: string;
  readonly major: number;
  readonly systemId: string;
  readonly segmentSize: number;
  readonly ancestor: { readonly timeline: string; readonly lsn: Lsn } | null;
  /** How it begins when it has no manifest yet; a restart finds the manifest and ignores this. */
  readonly import: TimelineImport | null;
  /** An open layer of this size is frozen and written out. */
  readonly openLayerMax_bytes: number;
  /** A frozen layer that rewrote at least so many consecutive blocks heavily gets an image of them. */
  readonly imagePagesMin: number;
  /** Where rebuilt pages are kept for readers in other threads. */
  readonly pageCache: SharedArrayBuffer;
}

/** The state a timeline begins with. */
export interface TimelineImport {
  /** A data directory of a Postgres that was shut down; null for a branch, which has its ancestor. */
  readonly path: string | null;
  /** Where its log begins: the end of the record that starts at `lastRecordStart`. */
  readonly startLsn: Lsn;
  readonly lastRecordStart: Lsn;
}

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
  /** Start of the record that ends at `at`; null when more has been ingested since. */
  readonly lastRecordStart: Lsn | null;
  /** The control file as imported: what a new one is derived from. */
  readonly controlFile: Uint8Array;
  /** `CheckPoint` struct: counters no transaction before `at` has passed. */
  readonly checkpoint: Uint8Array;
  readonly databases: readonly DatabaseState[];
  readonly relations: readonly RelationState[];
  readonly slruSegments: readonly SlruState[];
  readonly preparedTransactions: readonly PreparedTransaction[];
  /** How far a subscriber has applied each of its origins. */
  readonly replicationOrigins: readonly OriginProgress[];
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

/** The end of a record, and where that record starts. */
export interface BranchPoint {
  readonly lsn: Lsn;
  readonly lastRecordStart: Lsn;
}

/** Writes the open layer out, so that a restart needs no WAL before what is ingested now. */
export interface FlushTimeline extends Ask<'flushTimeline', { readonly diskConsistentLsn: Lsn }> {
  readonly kind: 'flushTimeline';
}

/** A wait took too long. */
export interface WaitEnded extends Tell<'waitEnded'> {
  readonly wait: number;
}

export type TimelineMessage =
  IngestWal | DescribeTimeline | WaitForLsn | DescribeState | FlushTimeline | WaitEnded;

/**
 * What a page-reader is started with. Path: `page-reader/<compute>`, on the storage thread. Its work
 * does not come as messages but over page channels.
 */
export interface PageReaderOptions {
  /** One for each blocking thread that asks. */
  readonly channels: readonly SharedArrayBuffer[];
  readonly bell: SharedArrayBuffer;
}

/** Time to look again at requests that had to wait for their timeline. */
export interface LookDue extends Tell<'lookDue'> {
  readonly kind: 'lookDue';
}

/**
 * From now on free-space maps come as they are stored, not as they would be by now: what a Postgres has
 * left of them when it ended is compared with that.
 */
export interface ServeStoredMaps extends Ask<'serveStoredMaps', null> {
  readonly kind: 'serveStoredMaps';
}

export type PageReaderMessage = LookDue | ServeStoredMaps;
