/**
 * CommittedWal: a branch's committed WAL, as its acceptors have it: where it is, its bytes, and word
 * of more. All that the wal-sender asks of acceptors is in this file.
 */
import { Failure } from '../../base/failure.ts';
import { lsn, maxLsn, type Lsn } from '../../base/lsn.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorMessage } from '../acceptor/protocol.ts';
import { type BranchWal } from '../control/protocol.ts';
import { type WalSenderMessage } from './protocol.ts';
import { fillerBytes, walPieces, walSource, type WalSource, type WalSpan } from './wal-source.ts';

type SenderContext = Context<WalSenderMessage>;

/** Where a branch's WAL is, and how far it was committed when this was asked. */
export interface OpenedWal {
  readonly source: WalSource;
  readonly commitLsn: Lsn;
}

const limits = { timeout_ms: 60_000 };
/** How long one ask waits for more WAL. */
const wait_ms = 10_000;

export async function openWal(context: SenderContext, wal: BranchWal): Promise<OpenedWal> {
  const [oldest, own] = await Promise.all(
    [wal.ranges.at(0)!, wal.ranges.at(-1)!].map(({ acceptor }) =>
      context.ask(acceptorAt(context, acceptor), { kind: 'describeAcceptor' }, limits),
    ),
  );
  return { source: walSource(wal, oldest!), commitLsn: own!.commitLsn };
}

/** The bytes of a stretch, all of it committed. Fails with `wal_removed`. */
export function readWal(
  context: SenderContext,
  source: WalSource,
  span: WalSpan,
): Promise<readonly Uint8Array[]> {
  const pieces = walPieces(source, span).map(async (piece) => {
    const { acceptor, from, to } = piece;
    if (acceptor === null) return fillerBytes(source, piece);
    const copy = { kind: 'copyWal', from, size: to - from } as const;
    return (await context.ask(acceptorAt(context, acceptor), copy, limits)).bytes;
  });
  return Promise.all(pieces);
}

/** How far branches are committed, for all who follow them: one read waits for each. */
export class CommittedTips {
  readonly #context: SenderContext;
  /** By acceptor; those that somebody follows. */
  readonly #tips = new Map<string, CommittedTip>();

  constructor(context: SenderContext) {
    this.#context = context;
  }

  /** Has `onMore` called as the log grows, or cannot be watched any more, until `leave`. */
  follow({ source, commitLsn }: OpenedWal, onMore: () => void): FollowedTip {
    const path = source.ranges.at(-1)!.acceptor;
    let tip = this.#tips.get(path);
    if (tip === undefined) {
      tip = new CommittedTip(this.#context, path, () => this.#tips.delete(path));
      this.#tips.set(path, tip);
    }
    return tip.follow(commitLsn, onMore);
  }
}

export interface FollowedTip {
  /** Everything below is committed. Fails with what ended the watch. */
  commitLsn(): Lsn;
  leave(): void;
}

class CommittedTip {
  readonly #context: SenderContext;
  readonly #acceptor: ActorRef<AcceptorMessage>;
  readonly #onEnd: () => void;
  readonly #listeners = new Set<() => void>();
  #commitLsn: Lsn | null = null;
  #failure: Failure | null = null;

  constructor(context: SenderContext, path: string, onEnd: () => void) {
    this.#context = context;
    this.#acceptor = acceptorAt(context, path);
    this.#onEnd = onEnd;
  }

  follow(commitLsn: Lsn, onMore: () => void): FollowedTip {
    const isWatched = this.#commitLsn !== null;
    this.#raise(commitLsn);
    this.#listeners.add(onMore);
    if (!isWatched) this.#watch(commitLsn);
    return {
      commitLsn: () => {
        if (this.#failure !== null) throw this.#failure;
        return this.#commitLsn!;
      },
      leave: () => {
        this.#listeners.delete(onMore);
      },
    };
  }

  /** An acceptor that has just started may know of less than it said before. */
  #raise(commitLsn: Lsn): void {
    this.#commitLsn = maxLsn(commitLsn, this.#commitLsn ?? commitLsn);
  }

  #watch(from: Lsn): void {
    void this.#moreThan(from).then(
      (commitLsn) => {
        this.#raise(commitLsn);
        if (commitLsn > from) this.#tell();
        if (this.#listeners.size === 0) this.#onEnd();
        else this.#watch(this.#commitLsn!);
      },
      (error: unknown) => {
        const known = error instanceof Failure;
        this.#failure = known ? error : new Failure('internal_error', { reason: String(error) });
        this.#onEnd();
        this.#tell();
      },
    );
  }

  /** How far it is committed, once that is beyond `from` or after a while. */
  async #moreThan(from: Lsn): Promise<Lsn> {
    const wait = { kind: 'awaitCommit', at: lsn(from + 1), reader: 'wal-sender' } as const;
    try {
      const { commitLsn } = await this.#context.ask(this.#acceptor, wait, { timeout_ms: wait_ms });
      return commitLsn;
    } catch (error) {
      if (error instanceof Failure && error.code === 'ask_timed_out') return from;
      throw error;
    }
  }

  #tell(): void {
    for (const onMore of this.#listeners) onMore();
  }
}

function acceptorAt(context: SenderContext, path: string): ActorRef<AcceptorMessage> {
  return context.ref(path);
}
