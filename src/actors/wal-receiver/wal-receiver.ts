/**
 * WalReceiver: carries a timeline's committed WAL from an acceptor to its page server.
 *
 * Owns:    nothing durable. Where it stands is the timeline's knowledge.
 * Serves:  whoever wants to know how far it is.
 * Promise: chunks reach the timeline in order, without gaps, and never faster than it takes them:
 *          one is being ingested while at most one more is read.
 * Crash:   the next start asks the timeline where it stands.
 * Never:   looks into the WAL.
 */
import { unreachable } from '../../base/assert.ts';
import { Failure, failureFromData, failureToData } from '../../base/failure.ts';
import { lsnZero, type Lsn } from '../../base/lsn.ts';
import { defineActor, type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorMessage, type ReadWalResult } from '../acceptor/protocol.ts';
import { type ControlMessage } from '../control/protocol.ts';
import { type TimelineMessage } from '../timeline/protocol.ts';
import {
  type AcceptorsFound,
  type ChunkIngested,
  type ChunkRead,
  type ReadDue,
  type ResumeDue,
  type TimelineStands,
  type TransferFailed,
  type WalReceiverDescription,
  type WalReceiverMessage,
  type WalReceiverOptions,
} from './protocol.ts';

interface Receiver {
  readonly options: WalReceiverOptions;
  acceptorPaths: readonly string[];
  /** The one it reads from. */
  reads: number;
  /** Acceptors that gave nothing, one after the other. */
  barren: number;
  readonly timeline: ActorRef<TimelineMessage>;
  /** Numbers beginnings: what an earlier one still has under way is void. */
  attempt: number;
  /** A read is under way, or waits until enough has been gathered. */
  reading: boolean;
  /** When a chunk came last, monotonic. */
  chunkCame_ms: number;
  ingesting: boolean;
  /** Read, and waiting for the timeline to be ready. */
  next: ChunkRead | null;
  receivedLsn: Lsn;
  ingestedLsn: Lsn;
  commitLsn: Lsn;
  trouble: string | null;
}
type ReceiverContext = Context<WalReceiverMessage>;

/** A timeline that halted, or a log that is damaged, does not mend by being asked again soon. */
const corruptPause_ms = 30_000;
/** A chunk of less than this part of the largest is little. */
const littleFraction = 16;

export const walReceiver = defineActor<WalReceiverMessage, Receiver, WalReceiverOptions>({
  name: 'wal-receiver',
  mailboxMax: 64,
  restart: 'permanent',
  start,
  receive,
  stop: (_context, receiver) => {
    receiver.attempt += 1;
  },
});

function start(context: ReceiverContext, options: WalReceiverOptions): Receiver {
  context.after(0, { kind: 'resumeDue', attempt: 0 });
  return {
    options,
    acceptorPaths: options.acceptorPaths,
    reads: 0,
    barren: 0,
    timeline: context.ref(options.timelinePath),
    attempt: 0,
    reading: false,
    chunkCame_ms: Number.NEGATIVE_INFINITY,
    ingesting: false,
    next: null,
    receivedLsn: lsnZero,
    ingestedLsn: lsnZero,
    commitLsn: lsnZero,
    trouble: null,
  };
}

function receive(context: ReceiverContext, receiver: Receiver, message: WalReceiverMessage): void {
  switch (message.kind) {
    case 'describeWalReceiver':
      context.answer(message, describe(receiver));
      return;
    case 'timelineStands':
      onTimelineStands(context, receiver, message);
      return;
    case 'chunkRead':
      onChunkRead(context, receiver, message);
      return;
    case 'chunkIngested':
      onChunkIngested(context, receiver, message);
      return;
    case 'transferFailed':
      onTransferFailed(context, receiver, message);
      return;
    case 'acceptorsFound':
      onAcceptorsFound(receiver, message);
      return;
    case 'resumeDue':
      onResumeDue(context, receiver, message);
      return;
    case 'readDue':
      onReadDue(context, receiver, message);
      return;
    default:
      unreachable(message);
  }
}

function onTimelineStands(
  context: ReceiverContext,
  receiver: Receiver,
  message: TimelineStands,
): void {
  if (message.attempt !== receiver.attempt) return;
  receiver.receivedLsn = message.receivedLsn;
  receiver.ingestedLsn = message.ingestedLsn;
  receiver.reading = false;
  receiver.ingesting = false;
  carryOn(context, receiver);
}

function onChunkRead(context: ReceiverContext, receiver: Receiver, message: ChunkRead): void {
  if (message.attempt !== receiver.attempt) return;
  const { options, attempt, chunkCame_ms } = receiver;
  const size = message.bytes.length;
  receiver.commitLsn = message.commitLsn;
  if (size > 0) {
    receiver.receivedLsn = (message.begin + size) as Lsn;
    receiver.next = message;
    receiver.chunkCame_ms = context.clock.monotonic_ms();
    receiver.barren = 0;
  }
  const soon = size > 0 && receiver.chunkCame_ms - chunkCame_ms < options.gather_ms;
  const gather = soon && size < options.chunkBytesMax / littleFraction;
  if (gather) context.after(options.gather_ms, { kind: 'readDue', attempt });
  receiver.reading = gather;
  carryOn(context, receiver);
}

function onReadDue(context: ReceiverContext, receiver: Receiver, message: ReadDue): void {
  if (message.attempt !== receiver.attempt) return;
  receiver.reading = false;
  carryOn(context, receiver);
}

function onChunkIngested(
  context: ReceiverContext,
  receiver: Receiver,
  message: ChunkIngested,
): void {
  if (message.attempt !== receiver.attempt) return;
  receiver.ingesting = false;
  receiver.ingestedLsn = message.ingestedLsn;
  receiver.trouble = null;
  carryOn(context, receiver);
}

/** Whatever went wrong, after a while the timeline is asked where it stands. */
function onTransferFailed(
  context: ReceiverContext,
  receiver: Receiver,
  message: TransferFailed,
): void {
  if (message.attempt !== receiver.attempt) return;
  const failure = failureFromData(message.failure);
  if (receiver.trouble !== failure.message)
    context.log('warn', 'WAL does not reach the timeline', { failure: failure.message });
  receiver.trouble = failure.message;
  receiver.attempt += 1;
  turn(context, receiver);
  const pause_ms = failure.kind === 'corrupt' ? corruptPause_ms : receiver.options.retry_ms;
  context.after(pause_ms, { kind: 'resumeDue', attempt: receiver.attempt });
}

/** They may be the same: then all is as it was. */
function onAcceptorsFound(receiver: Receiver, { acceptorPaths }: AcceptorsFound): void {
  if (acceptorPaths.join() === receiver.acceptorPaths.join()) return;
  receiver.acceptorPaths = acceptorPaths;
  receiver.reads = 0;
}

function onResumeDue(context: ReceiverContext, receiver: Receiver, message: ResumeDue): void {
  if (message.attempt !== receiver.attempt) return;
  receiver.attempt += 1;
  receiver.next = null;
  const { attempt, timeline, options } = receiver;
  const asked = context.ask(timeline, { kind: 'describeTimeline' }, limits(options));
  deliver(context, attempt, asked, ({ receivedLsn, ingestedLsn }) => ({
    kind: 'timelineStands',
    attempt,
    receivedLsn,
    ingestedLsn,
  }));
}

/** Gives the timeline the next chunk when it is ready, and reads ahead. */
function carryOn(context: ReceiverContext, receiver: Receiver): void {
  const { next } = receiver;
  if (next !== null && !receiver.ingesting) {
    receiver.next = null;
    ingest(context, receiver, next);
  }
  if (receiver.next === null && !receiver.reading) read(context, receiver);
}

function read(context: ReceiverContext, receiver: Receiver): void {
  receiver.reading = true;
  const { attempt } = receiver;
  deliver(context, attempt, readChunk(context, receiver), (result) => {
    return { kind: 'chunkRead', attempt, ...result };
  });
}

async function readChunk(context: ReceiverContext, receiver: Receiver): Promise<ReadWalResult> {
  const { acceptorPaths, reads, options, receivedLsn: from, commitLsn } = receiver;
  const acceptor = context.ref<AcceptorMessage>(acceptorPaths[reads]!);
  const { chunkBytesMax: bytesMax, reader, wait_ms } = options;
  const ask = { kind: 'readWal', from, bytesMax, reader, term: null } as const;
  try {
    return await context.ask(acceptor, ask, { timeout_ms: wait_ms });
  } catch (error) {
    const nothingCame = error instanceof Failure && error.code === 'ask_timed_out';
    if (nothingCame) turn(context, receiver); // it may be cut off from the proposer
    if (nothingCame) return { begin: from, bytes: new Uint8Array(0), commitLsn };
    throw error;
  }
}

/** To the next acceptor: what is committed, any of them has or will have. */
function turn(context: ReceiverContext, receiver: Receiver): void {
  const count = receiver.acceptorPaths.length;
  receiver.reads = (receiver.reads + 1) % count;
  receiver.barren += 1;
  if (receiver.barren % count === 0) void findAcceptors(context, receiver);
}

/**
 * It asks, rather than to be told when members change: what one host announces to another may be lost, and
 * who begins anew after a crash begins with the acceptors of old. Whoever cannot be asked now is asked
 * after the next round.
 */
async function findAcceptors(context: ReceiverContext, { options }: Receiver): Promise<void> {
  const { timeline } = options;
  const control = context.ref<ControlMessage>(options.control);
  try {
    const find = { kind: 'findAcceptors', timeline } as const;
    const acceptorPaths = await context.ask(control, find, limits(options));
    context.tell(context.self, { kind: 'acceptorsFound', acceptorPaths });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    context.log('warn', 'control does not say who the acceptors are', { failure: error.message });
  }
}

function ingest(context: ReceiverContext, receiver: Receiver, chunk: ChunkRead): void {
  receiver.ingesting = true;
  const { attempt, timeline, options } = receiver;
  const { begin, bytes } = chunk;
  const asked = context.ask(timeline, { kind: 'ingestWal', begin, bytes }, limits(options));
  deliver(context, attempt, asked, (result) => ({ kind: 'chunkIngested', attempt, ...result }));
}

function deliver<T>(
  context: ReceiverContext,
  attempt: number,
  asked: Promise<T>,
  onResult: (result: T) => WalReceiverMessage,
): void {
  void asked.then(
    (result) => {
      context.tell(context.self, onResult(result));
    },
    (error: unknown) => {
      const known = error instanceof Failure;
      const failure = known ? error : new Failure('wal_transfer_failed', { error: String(error) });
      context.tell(context.self, {
        kind: 'transferFailed',
        attempt,
        failure: failureToData(failure),
      });
    },
  );
}

function limits({ answerTimeout_ms }: WalReceiverOptions): { readonly timeout_ms: number } {
  return { timeout_ms: answerTimeout_ms };
}

function describe(receiver: Receiver): WalReceiverDescription {
  const { receivedLsn, ingestedLsn, commitLsn, trouble } = receiver;
  return { receivedLsn, ingestedLsn, commitLsn, trouble };
}
