/**
 * What a proposer understands. Path: `proposer/<timeline id>`, on the `wal` thread.
 *
 * In order: `elect`, any number of `appendRecord`, then `follow` the Postgres started meanwhile. When that
 * has shut down: `endStream` and any number of `appendRecord`, if there is something to append, and
 * `release`. A stream that ends otherwise ends the reign: what Postgres would send next might not be what
 * it sent before. The owner hears `proposerFenced` and `postgresGone` (src/actors/compute/protocol.ts).
 */
import { type Lsn } from '../../base/lsn.ts';
import {
  type AppendResult,
  type GreetingResult,
  type VoteResult,
} from '../../consensus/messages.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type AcceptorId, type Configuration } from '../../consensus/membership.ts';
import {
  type MemberState,
  type ProposerState,
  type Relay,
} from '../../consensus/proposer-state.ts';
import { type Term } from '../../consensus/term.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';
import { type FailureData } from '../../base/failure.ts';

export interface ProposerOptions {
  /**
   * Where acceptors live: `{host}` in it stands for a member's host, `{member}` for its id. So that a
   * member is found whom only other members know of.
   */
  readonly acceptorPath: string;
  /** An acceptor that takes longer to answer is lost, until it is contacted anew. */
  readonly answerTimeout_ms: number;
  readonly reconnect_ms: number;
  /** How long `follow` tries to open its stream. */
  readonly followTimeout_ms: number;
}

/**
 * Wins a new term with a majority and agrees with it on the end of the log. Ends any earlier reign
 * of this proposer. Fails with `election_lost` (try again) or `quorum_unreachable`, and with what keeps a
 * majority away for good, such as `timeline_mismatch`. Where acceptors know newer members than
 * `configuration`, it is these that elect.
 */
export interface Elect extends Ask<'elect', ElectResult> {
  readonly identity: TimelineIdentity;
  readonly configuration: Configuration;
  /** Told of this reign's end, with `run`; null tells nobody. */
  readonly owner: string | null;
  readonly run: number;
  readonly timeout_ms: number;
}
export interface ElectResult {
  readonly term: Term;
  /** A record's end, and committed: the next record goes here. */
  readonly endOfLog: Lsn;
  /** The next record's `xl_prev`. */
  readonly lastRecordStart: Lsn;
}

/** Appends whole records at `begin`, the end of the log. Answered once a majority has them. */
export interface AppendRecord extends Ask<'appendRecord', { readonly commitLsn: Lsn }> {
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
}

/** Where Postgres is to be reached. */
interface PostgresAddress {
  /** A directory (Unix socket) or a host name. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/**
 * Streams WAL out of a running Postgres, from the end of the log. Answered when the stream is open,
 * with the LSN it began at. A reign has one stream.
 */
export interface Follow extends Ask<'follow', { readonly from: Lsn }> {
  readonly address: PostgresAddress;
  /** What Postgres calls us: its `synchronous_standby_names` must say the same. */
  readonly applicationName: string;
  /** Physical replication slot, made when missing: keeps Postgres from recycling what we lack. */
  readonly slot: string;
}

/**
 * Ends the stream; the reign goes on. Answered when what was received is stored, refused by a `release`
 * that comes before, and when there is no reign.
 */
export interface EndStream extends Ask<'endStream', { readonly commitLsn: Lsn }> {
  readonly kind: 'endStream';
}

/** Ends the stream and the reign. What was received meanwhile is still stored first. */
export interface Release extends Ask<'release', { readonly commitLsn: Lsn }> {
  readonly timeout_ms: number;
}

/**
 * Goes on with other members, if the configuration is newer: the reign, its log and what it committed stay.
 * Answered with the configuration's generation that it follows now; refused as `proposer_not_leading`
 * when there is no reign. Commits wait until a majority of the new configuration follows.
 */
export interface Reconfigure extends Ask<'reconfigure', { readonly generation: number }> {
  readonly configuration: Configuration;
}

interface DescribeProposer extends Ask<'describeProposer', ProposerDescription> {
  readonly kind: 'describeProposer';
}
export interface ProposerDescription {
  readonly phase: 'idle' | ProposerState['phase'];
  readonly configuration: Configuration | null;
  readonly members: readonly Pick<MemberState, 'id' | 'phase' | 'flushLsn'>[];
  readonly term: Term;
  readonly termStart: Lsn;
  /** End of what Postgres sent. */
  readonly receivedLsn: Lsn;
  readonly commitLsn: Lsn;
  readonly streaming: boolean;
}

/** The stream asked for by `follow` is open, or could not be opened. */
export interface StreamOpened extends Tell<'streamOpened'> {
  readonly stream: number;
}
export interface StreamRefused extends Tell<'streamRefused'> {
  readonly stream: number;
  readonly failure: FailureData;
}
/** Time to try once more to open the stream. */
interface StreamDue extends Tell<'streamDue'> {
  readonly stream: number;
}
/** WAL arrived from Postgres. */
export interface WalArrived extends Tell<'walArrived'> {
  readonly stream: number;
}
/** Time to send Postgres its status again, if nothing was committed since. */
export interface NudgeDue extends Tell<'nudgeDue'> {
  readonly stream: number;
  readonly commitLsn: Lsn;
  readonly delay_ms: number;
}
/** Postgres ended the stream in order, or the connection broke. */
export interface StreamEnded extends Tell<'streamEnded'> {
  readonly stream: number;
  readonly reason: string;
  readonly orderly: boolean;
}

/** `contact`, in what follows, is the contact with the acceptor that it belongs to. */
export interface GreetAnswered extends Tell<'greetAnswered'> {
  readonly contact: number;
  readonly result: GreetingResult;
}
export interface VoteAnswered extends Tell<'voteAnswered'> {
  readonly contact: number;
  readonly result: VoteResult;
}
export interface InstallAnswered extends Tell<'installAnswered'> {
  readonly contact: number;
  readonly result: AppendResult;
}
export interface AppendAnswered extends Tell<'appendAnswered'> {
  readonly contact: number;
  readonly result: AppendResult;
  /** End of the bytes answered for; 0 when there were none. */
  readonly end: Lsn;
}
/** WAL that a member lacks came from another. */
export interface RelayAnswered extends Tell<'relayAnswered'> {
  readonly relay: Relay;
  readonly bytes: Uint8Array;
}
/** The one that has the WAL did not give it. */
export interface RelayFailed extends Tell<'relayFailed'> {
  readonly relay: Relay;
  readonly failure: FailureData;
}
/** An acceptor refused, or did not answer. */
export interface MemberFailed extends Tell<'memberFailed'> {
  readonly contact: number;
  readonly acceptor: AcceptorId;
  readonly failure: FailureData;
}
/** Time to speak to a lost acceptor again. */
export interface ReconnectDue extends Tell<'reconnectDue'> {
  readonly contact: number;
  readonly acceptor: AcceptorId;
}
/** Time to tell acceptors how far it is committed. */
interface TellDue extends Tell<'tellDue'> {
  readonly kind: 'tellDue';
}
/** An election or a release took too long. */
export interface DeadlineDue extends Tell<'deadlineDue'> {
  readonly of: 'elect' | 'release';
  readonly reign: number;
}

export type ProposerMessage =
  | Elect
  | AppendRecord
  | Follow
  | EndStream
  | Release
  | Reconfigure
  | DescribeProposer
  | StreamOpened
  | StreamRefused
  | StreamDue
  | WalArrived
  | NudgeDue
  | StreamEnded
  | GreetAnswered
  | VoteAnswered
  | InstallAnswered
  | AppendAnswered
  | RelayAnswered
  | RelayFailed
  | MemberFailed
  | ReconnectDue
  | TellDue
  | DeadlineDue;
