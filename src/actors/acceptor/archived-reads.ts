/**
 * ArchivedReads: WAL that this disk keeps no more, read from the object store by way of the archiver and
 * answered as if it were here, beside other messages. All of it is committed.
 */
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, lsn, minLsn, type Lsn } from '../../base/lsn.ts';
import { walPageStart } from '../../postgres/wal-page.ts';
import { type ActorRef, type Context, type ResultOf } from '../../runtime/actor.ts';
import { type ArchiverMessage } from '../archiver/protocol.ts';
import {
  type AcceptorMessage,
  type CopyWal,
  type ReadWal,
  type ReadWalResult,
} from './protocol.ts';
import { type Store } from './store.ts';

export interface ArchivedReads {
  readonly context: Context<AcceptorMessage>;
  readonly store: Store;
  readonly archiver: ActorRef<ArchiverMessage>;
}

/** Shorter than whoever asks an acceptor waits for it. */
const limits = { timeout_ms: 5_000 };
const pieceBytes = 1_048_576;

/** The oldest WAL that can be read here: with an archiver all that the timeline wrote. */
export function firstReadable({ log, identity, options }: Store): Lsn {
  return options.archiver === null ? log.firstLsn : walPageStart(identity.startLsn);
}

/** Whether what is at `from` is to be had from the object store only. */
export function isArchived(store: Store, from: Lsn): boolean {
  return from < store.log.firstLsn && from >= firstReadable(store);
}

/** Answers when the read is done, or refuses. */
export function answerArchived<Asked extends ReadWal | CopyWal>(
  context: Context<AcceptorMessage>,
  asked: Asked,
  read: Promise<ResultOf<Asked>>,
): void {
  void read.then(
    (result) => {
      context.answer(asked, result);
    },
    (error: unknown) => {
      context.refuse(asked, error instanceof Failure ? error : unavailable(error));
    },
  );
}

/** Stored bytes of a stretch that begins below what is kept here and may end above it. */
export async function copyArchived(
  { context, store, archiver }: ArchivedReads,
  { from, size }: Pick<CopyWal, 'from' | 'size'>,
): Promise<{ readonly bytes: Uint8Array }> {
  const { log } = store;
  const end = lsn(from + size);
  const keptLsn = minLsn(log.firstLsn, end);
  // First: it may be removed while the other is on its way.
  const kept = end > keptLsn ? log.copy(keptLsn, end - keptLsn) : new Uint8Array(0);
  const bytes = new Uint8Array(size);
  for (let at = from; at < keptLsn;) {
    const piece = Math.min(pieceBytes, keptLsn - at);
    const read = { kind: 'readArchived', from: at, size: piece } as const;
    const answer = await context.ask(archiver, read, limits).catch((error: unknown) => {
      throw asArchiveFailure(error);
    });
    bytes.set(answer.bytes, at - from);
    at = lsn(at + piece);
  }
  bytes.set(kept, keptLsn - from);
  return { bytes };
}

/** Whole checked records from `asked.from` on, as `readWal` promises them; at least one is committed. */
export async function readArchivedRecords(
  reads: ArchivedReads,
  { from, bytesMax }: ReadWal,
): Promise<ReadWalResult> {
  const { log, core } = reads.store;
  const { commitLsn } = core;
  for (let wanted = bytesMax; ; wanted *= 2) {
    const size = Math.min(wanted, commitLsn - from);
    const { bytes } = await copyArchived(reads, { from, size });
    const end = log.checkedEnd(from, bytes);
    if (end > from) return { begin: from, bytes: bytes.subarray(0, end - from), commitLsn };
    ensure(size < commitLsn - from, 'acceptor_wal_damaged', { at: formatLsn(from) });
  }
}

/** Whoever asked tells what is wrong with the archive from what is wrong with this acceptor. */
function asArchiveFailure(error: unknown): Failure {
  return error instanceof Failure && error.code === 'wal_removed' ? error : unavailable(error);
}

function unavailable(error: unknown): Failure {
  return new Failure('archive_unavailable', { reason: String(error) }, error);
}
