/**
 * CommittedTips: how far branches are committed, watched for all who follow them: one watch for each
 * branch that somebody follows.
 *
 * A watch waits at one acceptor, at first the nearest. It moves on when that one fails; and when others
 * know of more than it has said for a while, for it may be cut off from the proposer and still answer us.
 * When all fail, control says who they are now.
 */
import { assert } from '../../base/assert.ts';
import { Failure } from '../../base/failure.ts';
import { lsn, type Lsn } from '../../base/lsn.ts';
import { type Clock } from '../../runtime/actor.ts';
import { type WalRange } from '../control/protocol.ts';
import { waitLimits, type CommittedWal, type OpenedWal } from './committed-wal.ts';

export interface FollowedTip {
  /** Everything below is committed; it never falls. Fails with what ended the watch. */
  commitLsn(): Lsn;
  leave(): void;
}

export class CommittedTips {
  readonly #wal: CommittedWal;
  readonly #clock: Clock;
  /** By timeline; those that somebody follows. */
  readonly #tips = new Map<string, CommittedTip>();

  constructor(wal: CommittedWal, clock: Clock) {
    this.#wal = wal;
    this.#clock = clock;
  }

  /** Has `onMore` called as the log grows, or cannot be watched any more, until `leave`. */
  follow({ source, commitLsn }: OpenedWal, onMore: () => void): FollowedTip {
    const own = source.ranges.at(-1)!;
    let tip = this.#tips.get(own.timeline);
    if (tip === undefined) {
      tip = new CommittedTip({ wal: this.#wal, clock: this.#clock, own, commitLsn });
      this.#tips.set(own.timeline, tip);
      void tip.watch().finally(() => this.#tips.delete(own.timeline));
    }
    return tip.follow(commitLsn, onMore);
  }
}

interface TipParts {
  readonly wal: CommittedWal;
  readonly clock: Clock;
  /** The branch's own timeline. */
  readonly own: WalRange;
  readonly commitLsn: Lsn;
}

class CommittedTip {
  readonly #wal: CommittedWal;
  readonly #clock: Clock;
  readonly #timeline: string;
  readonly #listeners = new Set<() => void>();
  #acceptors: readonly string[];
  /** Where the watch waits. */
  #watched: string;
  /** Acceptors that failed, one after the other. */
  #failed = 0;
  /** They are who control said they are, after all had failed. */
  #renewed = false;
  /** When others were looked at last; monotonic. */
  #looked_ms: number;
  #commitLsn: Lsn;
  #failure: Failure | null = null;

  constructor({ wal, clock, own, commitLsn }: TipParts) {
    this.#wal = wal;
    this.#clock = clock;
    this.#timeline = own.timeline;
    this.#acceptors = own.acceptors;
    this.#watched = own.acceptors[0]!;
    this.#looked_ms = clock.monotonic_ms();
    this.#commitLsn = commitLsn;
  }

  follow(commitLsn: Lsn, onMore: () => void): FollowedTip {
    this.#raise(commitLsn);
    this.#listeners.add(onMore);
    return {
      commitLsn: () => {
        if (this.#failure !== null) throw this.#failure;
        return this.#commitLsn;
      },
      leave: () => {
        this.#listeners.delete(onMore);
      },
    };
  }

  /** Until nobody follows, or nobody can be watched. */
  async watch(): Promise<void> {
    try {
      do await this.#wait();
      while (this.#listeners.size > 0);
    } catch (error) {
      const known = error instanceof Failure;
      this.#failure = known ? error : new Failure('internal_error', { reason: String(error) });
      this.#tell();
    }
  }

  async #wait(): Promise<void> {
    const watched = this.#watched;
    try {
      const commitLsn = await this.#wal.awaitCommit(watched, lsn(this.#commitLsn + 1));
      this.#failed = 0;
      this.#renewed = false;
      if (commitLsn !== null) this.#raise(commitLsn);
      const isDue = this.#clock.monotonic_ms() - this.#looked_ms >= waitLimits.timeout_ms;
      if (commitLsn === null || isDue) this.#look(watched, commitLsn === null);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      await this.#onFailed(error);
    }
  }

  /** To the next. When all have failed they may be others now; when those fail too, it is over. */
  async #onFailed(failure: Failure): Promise<void> {
    this.#failed += 1;
    if (this.#failed < this.#acceptors.length) {
      const at = this.#acceptors.indexOf(this.#watched);
      this.#watched = this.#acceptors[(at + 1) % this.#acceptors.length]!;
      return;
    }
    if (this.#renewed) throw failure;
    this.#acceptors = await this.#wal.findAcceptors(this.#timeline);
    assert(this.#acceptors.length > 0, 'a timeline has acceptors');
    this.#watched = this.#acceptors[0]!;
    this.#failed = 0;
    this.#renewed = true;
  }

  /**
   * Looks whether others know of more, beside the waiting: one that is away takes long to say nothing. What
   * they know can be sent at once; the watch leaves the one it waits at if that has been silent meanwhile.
   */
  #look(watched: string, wasSilent: boolean): void {
    this.#looked_ms = this.#clock.monotonic_ms();
    const others = this.#acceptors.filter((each) => each !== watched);
    if (others.length === 0) return;
    void this.#wal.firstBeyond(others, this.#commitLsn).then((ahead) => {
      if (ahead === null) return;
      if (wasSilent && this.#watched === watched) this.#watched = ahead.acceptor;
      this.#raise(ahead.commitLsn);
    });
  }

  /** An acceptor that is behind, or has just started, may know of less than was said before. */
  #raise(commitLsn: Lsn): void {
    if (commitLsn <= this.#commitLsn) return;
    this.#commitLsn = commitLsn;
    this.#tell();
  }

  #tell(): void {
    for (const onMore of this.#listeners) onMore();
  }
}
