/**
 * What an acceptor understands. Path: `acceptor/<timeline id>`, on the `wal` thread.
 *
 * `greet`, `vote`, `installTerm` and `appendWal` are the proposer's, `setConfiguration` and
 * `leaveTimeline` a change of members' (src/consensus/messages.ts); the others serve whoever creates
 * timelines, reads committed WAL or keeps segments elsewhere.
 */
import { type Lsn } from '../../base/lsn.ts';
import { type LogStart } from '../../consensus/acceptor.ts';
import {
  type Append,
  type AppendResult,
  type Configure,
  type ConfigureResult,
  type Elected,
  type Greeting,
  type GreetingResult,
  type Leave,
  type VoteRequest,
  type VoteResult,
} from '../../consensus/messages.ts';
import { type AcceptorId, type Configuration } from '../../consensus/membership.ts';
import { type Term, type TermHistory } from '../../consensus/term.ts';
import { type Ask } from '../../runtime/actor.ts';

export interface AcceptorOptions {
  /** The id of the member that lives on this host. What another one left here is refused. */
  readonly acceptor: string;
  readonly timeline: string;
  /**
   * Whether its log may be begun: only while the project document does not name it. One that is named
   * and has no log has lost it, and with it what it promised: it says `acceptor_missing` for ever.
   */
  readonly newborn: boolean;
  /** Path of the archiver, by which WAL that was removed here is read; null when nothing is archived. */
  readonly archiver: string | null;
  /** `<data>/timelines/<timeline>`: made when the timeline is created. */
  readonly directory: string;
}

/**
 * Begins a timeline's WAL on this host. Repeating it with the same start changes nothing; another
 * start is refused with `acceptor_exists`, a member that is no newborn with `acceptor_lost`.
 */
export interface CreateTimeline extends Ask<'createTimeline', null> {
  /** First LSN this timeline writes itself: a record boundary. */
  readonly startLsn: Lsn;
  /** Start of the record that ends at `startLsn`; 0 when unknown. */
  readonly lastRecordStart: Lsn;
  readonly major: number;
  /** Decimal, as Postgres prints it: it does not fit a number. */
  readonly systemId: string;
  readonly segmentSize: number;
  /**
   * The bytes of the first page below `startLsn`, from the page's start: the parent's, so that reading
   * can begin at the page. Below it the first segment is zeros: a branch costs no more than a page.
   */
  readonly head: Uint8Array;
}

/**
 * Begins this host's log of a timeline that others have, as one of them describes it. Repeating it
 * changes nothing. It takes no part in anything before it is greeted with a configuration.
 */
export interface JoinTimeline extends Ask<'joinTimeline', null> {
  /** Who joins. Another member that lives here meanwhile refuses: `acceptor_of_another_member`. */
  readonly to: AcceptorId;
  readonly log: JoinedLog;
}
/** Where a new member's log may begin: at the oldest record that an acceptor keeps. */
export interface DescribeLog extends Ask<'describeLog', JoinedLog> {
  readonly kind: 'describeLog';
}
export interface JoinedLog extends LogStart {
  /** Stored bytes below `beginLsn`, from the start of a page: so much of the first segment is kept. */
  readonly head: Uint8Array;
}

export interface Greet extends Ask<'greet', GreetingResult>, Greeting {
  readonly kind: 'greet';
}
export interface Vote extends Ask<'vote', VoteResult>, VoteRequest {
  readonly kind: 'vote';
}
/** Takes over the elected proposer's history, and cuts what contradicts it. */
export interface InstallTerm extends Ask<'installTerm', AppendResult>, Elected {
  readonly kind: 'installTerm';
}
/** Stores WAL. Answered once it is on disk. */
export interface AppendWal extends Ask<'appendWal', AppendResult>, Append {
  readonly kind: 'appendWal';
}

/** Follows a configuration, and a term to go with it. Both are on disk when this is answered. */
export interface SetConfiguration extends Ask<'setConfiguration', ConfigureResult>, Configure {
  readonly kind: 'setConfiguration';
}
/** Deletes the log of a member that is none any more. Repeating it changes nothing. */
export interface LeaveTimeline extends Ask<'leaveTimeline', null>, Leave {
  readonly kind: 'leaveTimeline';
}

/**
 * Whole records from `from` (a record's end) on, checked: at most about `bytesMax`, at least one
 * record. When there is none yet, `reader` null is answered with no bytes at once; with a name the ask
 * waits, as long as the asker does. The next ask of the same reader takes its place, and it is
 * answered with no bytes. Fails with `wal_removed`, as `corrupt` when stored bytes are damaged and, below
 * what is kept here, with `archive_unavailable`.
 */
export interface ReadWal extends Ask<'readWal', ReadWalResult> {
  readonly from: Lsn;
  readonly bytesMax: number;
  /** One name for each of those who read a timeline, on all hosts. */
  readonly reader: string | null;
  /** null reads up to commitLsn. A proposer's term reads up to flushLsn, while that term holds. */
  readonly term: Term | null;
}
export interface ReadWalResult {
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
  readonly commitLsn: Lsn;
}

/**
 * Answered when everything below `at` is committed, as far as this acceptor knows. Waits as `readWal`
 * does; an answer to an ask whose place was taken may be lower.
 */
export interface AwaitCommit extends Ask<'awaitCommit', { readonly commitLsn: Lsn }> {
  readonly at: Lsn;
  readonly reader: string;
}

/**
 * Stored bytes as they are, from any position up to commitLsn: for heads of branches and for
 * copies of segments. Records are not checked. Fails with `wal_removed`, `wal_not_yet_written` and, below
 * what is kept here, with `archive_unavailable`.
 */
export interface CopyWal extends Ask<'copyWal', { readonly bytes: Uint8Array }> {
  readonly from: Lsn;
  readonly size: number;
}

/**
 * Whole segments below `below` may go: they are in the object store, and whoever reads them here gets them
 * from there. While a change of members is under way all stays, so that a joiner finds them on a disk; and
 * without an archiver what another member may still need. Beyond what is committed here it is refused with
 * `wal_not_yet_written`.
 */
export interface RemoveWal extends Ask<'removeWal', { readonly keptLsn: Lsn }> {
  readonly below: Lsn;
}

interface DescribeAcceptor extends Ask<'describeAcceptor', AcceptorDescription> {
  readonly kind: 'describeAcceptor';
}
export interface AcceptorDescription {
  readonly acceptor: string;
  /** false until `createTimeline`: everything below is then 0 or empty. */
  readonly created: boolean;
  readonly configuration: Configuration;
  readonly term: Term;
  readonly history: TermHistory;
  readonly startLsn: Lsn;
  /** No WAL can be read here below: the start of the page the timeline begins in, if it is archived. */
  readonly firstLsn: Lsn;
  /** Start of the oldest segment on this disk or, in the first, of the page the timeline begins in. */
  readonly keptLsn: Lsn;
  readonly flushLsn: Lsn;
  readonly lastRecordStart: Lsn;
  readonly commitLsn: Lsn;
  readonly truncateLsn: Lsn;
  readonly major: number;
  readonly systemId: string;
  readonly segmentSize: number;
}

/**
 * Nothing was committed beyond `commitLsn` for a while: until something is appended no file need stay open.
 * Answered with false when more has come. When the rest ends, the archiver is asked to `wake`.
 */
export interface Rest extends Ask<'rest', { readonly resting: boolean }> {
  readonly commitLsn: Lsn;
}

/** Everything appended meanwhile is to be synced and answered. */
interface SyncDue {
  readonly kind: 'syncDue';
}
/** Time to note how far the log is on disk. */
interface PositionDue {
  readonly kind: 'positionDue';
}

export type AcceptorMessage =
  | CreateTimeline
  | JoinTimeline
  | DescribeLog
  | Greet
  | Vote
  | InstallTerm
  | AppendWal
  | SetConfiguration
  | LeaveTimeline
  | ReadWal
  | AwaitCommit
  | CopyWal
  | RemoveWal
  | DescribeAcceptor
  | Rest
  | SyncDue
  | PositionDue;
