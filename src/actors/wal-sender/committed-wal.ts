/**
 * CommittedWal: the committed WAL of branches, as their acceptors have it: where it is, its bytes, and
 * how far it goes. All that the wal-sender asks of acceptors and of control is in this file.
 *
 * Any acceptor that has what is wanted serves, for committed WAL is the same in all of them: the nearest
 * first, and one that failed lately last. Where all fail, control says who they are now.
 */
import { assert } from '../../base/assert.ts';
import { ensure, Failure } from '../../base/failure.ts';
import { formatLsn, maxLsn, type Lsn } from '../../base/lsn.ts';
import { type ActorRef, type Context } from '../../runtime/actor.ts';
import { type AcceptorDescription, type AcceptorMessage } from '../acceptor/protocol.ts';
import { type BranchWal, type ControlMessage, type WalRange } from '../control/protocol.ts';
import { type WalSenderMessage, type WalSenderOptions } from './protocol.ts';
import {
  fillerBytes,
  walPieces,
  walSource,
  type WalPiece,
  type WalSource,
  type WalSpan,
} from './wal-source.ts';

/** Where a branch's WAL is, and how far it was committed when this was asked. */
export interface OpenedWal {
  readonly source: WalSource;
  readonly commitLsn: Lsn;
}

/** How far one acceptor knows its log to be committed. */
export interface Standing {
  readonly acceptor: string;
  readonly commitLsn: Lsn;
}

const controlLimits = { timeout_ms: 60_000 };
const describeLimits = { timeout_ms: 2_000 };
/** Longer than an acceptor waits for what it has from the object store only. */
const copyLimits = { timeout_ms: 10_000 };
/** How long an acceptor is asked for more WAL before others are looked at. */
export const waitLimits = { timeout_ms: 5_000 };
/** So long an acceptor that failed is asked after the others. */
const disfavour_ms = 30_000;
/** Says nothing against an acceptor: it lacks this stretch, as one does that is a little behind. */
const lacking: ReadonlySet<string> = new Set([
  'wal_removed',
  'wal_not_yet_written',
  'archive_unavailable',
]);

export class CommittedWal {
  readonly #context: Context<WalSenderMessage>;
  readonly #control: ActorRef<ControlMessage>;
  /** Its name at acceptors: no sender of another host has the same. */
  readonly #reader: string;
  /** When acceptors failed that have not answered since; monotonic. */
  readonly #failed_ms = new Map<string, number>();

  constructor(context: Context<WalSenderMessage>, { control, host }: WalSenderOptions) {
    this.#context = context;
    this.#control = context.ref(control);
    this.#reader = `wal-sender on ${host}`;
  }

  /** Fails with `branch_missing`. */
  find(branch: string): Promise<BranchWal> {
    return this.#context.ask(this.#control, { kind: 'findWal', branch }, controlLimits);
  }

  /** The same timelines, with the acceptors that they have now. Fails with `branch_missing`. */
  async findAgain<Wal extends BranchWal>(wal: Wal): Promise<Wal> {
    const ranges = wal.ranges.map(async (range) => ({
      ...range,
      acceptors: await this.findAcceptors(range.timeline),
    }));
    return { ...wal, ranges: await Promise.all(ranges) };
  }

  /** Paths of a timeline's acceptors, nearest first. Fails with `branch_missing`. */
  findAcceptors(timeline: string): Promise<readonly string[]> {
    const ask = { kind: 'findAcceptors', timeline } as const;
    return this.#context.ask(this.#control, ask, controlLimits);
  }

  /** Asks all, since one may be behind. Fails as one of them does when none of a timeline answers. */
  async open(wal: BranchWal): Promise<OpenedWal> {
    const [oldest, own] = await Promise.all(
      [wal.ranges.at(0)!, wal.ranges.at(-1)!].map((range) => this.#describeAll(range)),
    );
    const first = oldest!.reduce((a, b) => (b.firstLsn < a.firstLsn ? b : a));
    const commitLsn = own!.map((described) => described.commitLsn).reduce(maxLsn);
    return { source: walSource(wal, first), commitLsn };
  }

  /** The bytes of a stretch, all of it committed. Fails as the last acceptor asked did. */
  read(source: WalSource, span: WalSpan): Promise<readonly Uint8Array[]> {
    const pieces = walPieces(source, span).map(async (piece) => {
      const { acceptors } = piece;
      if (acceptors === null) return fillerBytes(source, piece);
      return this.#firstOf(acceptors, (acceptor) => this.#copy(acceptor, piece));
    });
    return Promise.all(pieces);
  }

  /** How far an acceptor's log is committed, once that is `at` or more; null when nothing comes for long. */
  async awaitCommit(acceptor: string, at: Lsn): Promise<Lsn | null> {
    const wait = { kind: 'awaitCommit', at, reader: this.#reader } as const;
    try {
      const { commitLsn } = await this.#context.ask(this.#acceptor(acceptor), wait, waitLimits);
      return commitLsn >= at ? commitLsn : null;
    } catch (error) {
      if (error instanceof Failure && error.code === 'ask_timed_out') return null;
      throw error;
    }
  }

  /** The first that is known to be committed beyond `at`, or null when none is that answers. */
  async firstBeyond(acceptors: readonly string[], at: Lsn): Promise<Standing | null> {
    const asked = acceptors.map(async (acceptor) => {
      const { commitLsn } = await this.#describe(acceptor);
      ensure(commitLsn > at, 'wal_not_yet_written', { acceptor, end: formatLsn(at) });
      return { acceptor, commitLsn };
    });
    try {
      return await Promise.any(asked);
    } catch (error) {
      const failures = (error as AggregateError).errors as readonly unknown[];
      if (!failures.every((one) => one instanceof Failure)) throw error;
      return null;
    }
  }

  /** Of those that answer, one at least. */
  async #describeAll({ acceptors }: WalRange): Promise<readonly AcceptorDescription[]> {
    const settled = await Promise.allSettled(acceptors.map((path) => this.#describe(path)));
    const described = settled.filter((one) => one.status === 'fulfilled').map(({ value }) => value);
    const failed = settled.find((one) => one.status === 'rejected');
    if (described.length === 0) throw failed!.reason as Error;
    return described;
  }

  /** Fails with `acceptor_missing` when it has no log. */
  async #describe(acceptor: string): Promise<AcceptorDescription> {
    const ask = { kind: 'describeAcceptor' } as const;
    const described = await this.#context.ask(this.#acceptor(acceptor), ask, describeLimits);
    ensure(described.created, 'acceptor_missing', { acceptor });
    return described;
  }

  async #copy(acceptor: string, { from, to }: WalPiece): Promise<Uint8Array> {
    const copy = { kind: 'copyWal', from, size: to - from } as const;
    const { bytes } = await this.#context.ask(this.#acceptor(acceptor), copy, copyLimits);
    ensure(bytes.length === to - from, 'acceptor_wal_damaged', { acceptor, at: formatLsn(from) });
    return bytes;
  }

  /** Asks one after the other until one has it. Fails as the last one did. */
  async #firstOf<T>(
    acceptors: readonly string[],
    ask: (acceptor: string) => Promise<T>,
  ): Promise<T> {
    assert(acceptors.length > 0, 'there is somebody to ask');
    let last: Failure | null = null;
    for (const acceptor of this.#inOrder(acceptors)) {
      try {
        const result = await ask(acceptor);
        this.#failed_ms.delete(acceptor);
        return result;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        last = error;
        if (lacking.has(error.code)) this.#failed_ms.delete(acceptor);
        else this.#failed_ms.set(acceptor, this.#context.clock.monotonic_ms());
      }
    }
    throw last!;
  }

  #inOrder(acceptors: readonly string[]): readonly string[] {
    const now_ms = this.#context.clock.monotonic_ms();
    const isOut = (path: string): boolean =>
      now_ms - (this.#failed_ms.get(path) ?? Number.NEGATIVE_INFINITY) < disfavour_ms;
    return [...acceptors].sort((a, b) => Number(isOut(a)) - Number(isOut(b)));
  }

  #acceptor(path: string): ActorRef<AcceptorMessage> {
    return this.#context.ref(path);
  }
}
