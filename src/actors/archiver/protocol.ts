/**
 * What an archiver understands. Path: `archiver/<timeline id>`, on the main thread of each host with an
 * acceptor of the timeline.
 *
 * It needs no orders: it looks at its acceptor while WAL is appended, and rests with it.
 */
import { type FailureData } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';

/** What every archiver is started with. */
export interface ArchiverSettings {
  /** So much committed WAL stays with the acceptor, archived or not. */
  readonly keep_bytes: number;
  /** Between two looks at the acceptor, while WAL is appended. */
  readonly look_ms: number;
  /** When nothing was committed for so long, the timeline is idle. A segment read is remembered so long. */
  readonly idle_ms: number;
}

export interface ArchiverOptions extends ArchiverSettings {
  readonly timeline: string;
  readonly major: number;
  readonly segmentSize: number;
  /** The id of the member that lives on this host. */
  readonly member: string;
  /** Its acceptor. */
  readonly acceptor: string;
  /** Where the others live: `{host}` stands for a member's host, `{member}` for its id. */
  readonly acceptorPath: string;
  /** Timelines that ingest the log, on all hosts that keep its pages. */
  readonly copies: readonly string[];
  /** Folder of the object store. */
  readonly objectStore: string;
}

/** Other hosts keep the timeline's pages now. */
interface CopiesChanged extends Tell<'copiesChanged'> {
  readonly copies: readonly string[];
}

/** After a rest, something is appended again. */
export interface Wake extends Ask<'wake', null> {
  readonly kind: 'wake';
}

/**
 * Bytes that the object store has. Fails with `wal_removed` when it has not all of them, and with
 * `archive_unavailable`.
 */
export interface ReadArchived extends Ask<'readArchived', { readonly bytes: Uint8Array }> {
  readonly from: Lsn;
  readonly size: number;
}

interface DescribeArchiver extends Ask<'describeArchiver', ArchiverDescription> {
  readonly kind: 'describeArchiver';
}
export interface ArchiverDescription {
  /** Whole segments below are in the object store, compared with this host's; 0 before the first look. */
  readonly archivedLsn: Lsn;
  /** End of the partial segment that this archiver has stored last; 0 for none. */
  readonly partialLsn: Lsn;
  /** Nothing is appended, and nothing is to be done. */
  readonly resting: boolean;
  /** Why it waits before it tries again, in words; null while all is well. */
  readonly trouble: string | null;
  /** Why it archives and removes no more, in words. */
  readonly halted: string | null;
}

/** Time to look at the acceptor. */
interface LookDue extends Tell<'lookDue'> {
  readonly kind: 'lookDue';
}
/** A look is over: all was done, or as much as can be done now. */
export interface Looked extends Tell<'looked'> {
  readonly resting: boolean;
}
export interface LookFailed extends Tell<'lookFailed'> {
  readonly failure: FailureData;
}
/** A segment that was read was remembered for the next read long enough. */
interface ForgetDue extends Tell<'forgetDue'> {
  readonly kind: 'forgetDue';
}

export type ArchiverMessage =
  | CopiesChanged
  | Wake
  | ReadArchived
  | DescribeArchiver
  | LookDue
  | Looked
  | LookFailed
  | ForgetDue;
