/**
 * What a wal-receiver understands. Path: `wal-receiver/<timeline id>`, on the `storage` thread.
 *
 * It needs no orders: it starts where the timeline stands and goes on for ever.
 */
import { type FailureData } from '../../base/failure.ts';
import { type Lsn } from '../../base/lsn.ts';
import { type Ask, type Tell } from '../../runtime/actor.ts';

export interface WalReceiverOptions {
  /**
   * Where it reads at first, nearest first: the first that answers, the next when one fails or has nothing
   * new for long. When none has anything, control says who they are now.
   */
  readonly acceptorPaths: readonly string[];
  readonly timeline: string;
  readonly timelinePath: string;
  /** Path of control. */
  readonly control: string;
  readonly chunkBytesMax: number;
  /**
   * Pause before the next read when little came, and soon after what came before: under many short
   * transactions it gathers some of them for each hop between the threads.
   */
  readonly gather_ms: number;
  /** Its name at the acceptor: no other reader of the timeline, on any host, has the same. */
  readonly reader: string;
  /** How long a read waits at the acceptor for more WAL before it is asked anew. */
  readonly wait_ms: number;
  readonly answerTimeout_ms: number;
  /** Pause before it begins again after a failure. */
  readonly retry_ms: number;
}

interface DescribeWalReceiver extends Ask<'describeWalReceiver', WalReceiverDescription> {
  readonly kind: 'describeWalReceiver';
}
export interface WalReceiverDescription {
  /** Read from the acceptor up to here. */
  readonly receivedLsn: Lsn;
  /** The timeline has ingested up to here. */
  readonly ingestedLsn: Lsn;
  readonly commitLsn: Lsn;
  /** Why it waits before trying again, in words; null while all is well. */
  readonly trouble: string | null;
}

/** The timeline said where it stands: there it begins. */
export interface TimelineStands extends Tell<'timelineStands'> {
  readonly attempt: number;
  readonly receivedLsn: Lsn;
  readonly ingestedLsn: Lsn;
}
/** The acceptor answered `readWal`. */
export interface ChunkRead extends Tell<'chunkRead'> {
  readonly attempt: number;
  readonly begin: Lsn;
  readonly bytes: Uint8Array;
  readonly commitLsn: Lsn;
}
/** The timeline took the chunk. */
export interface ChunkIngested extends Tell<'chunkIngested'> {
  readonly attempt: number;
  readonly receivedLsn: Lsn;
  readonly ingestedLsn: Lsn;
}
/** The acceptor or the timeline did not do its part. */
export interface TransferFailed extends Tell<'transferFailed'> {
  readonly attempt: number;
  readonly failure: FailureData;
}
/** Control said who the acceptors are now. */
export interface AcceptorsFound extends Tell<'acceptorsFound'> {
  readonly acceptorPaths: readonly string[];
}
/** Time to ask the timeline where it stands and to begin again. */
export interface ResumeDue extends Tell<'resumeDue'> {
  readonly attempt: number;
}

/** Enough has been gathered. */
export interface ReadDue extends Tell<'readDue'> {
  readonly attempt: number;
}

export type WalReceiverMessage =
  | DescribeWalReceiver
  | TimelineStands
  | ChunkRead
  | ChunkIngested
  | TransferFailed
  | AcceptorsFound
  | ResumeDue
  | ReadDue;
