/**
 * FakeAcceptors: acceptors and control as the wal-sender asks them, each saying what the test has it say.
 */
import { type AcceptorMessage } from '../../../src/actors/acceptor/protocol.ts';
import { type ControlMessage } from '../../../src/actors/control/protocol.ts';
import { CommittedWal, type OpenedWal } from '../../../src/actors/wal-sender/committed-wal.ts';
import {
  type WalSenderMessage,
  type WalSenderOptions,
} from '../../../src/actors/wal-sender/protocol.ts';
import { walSource } from '../../../src/actors/wal-sender/wal-source.ts';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { type Context } from '../../../src/runtime/actor.ts';

/** All that the wal-sender asks while it streams. */
type Asked = Extract<
  AcceptorMessage | ControlMessage,
  { readonly kind: 'findAcceptors' | 'awaitCommit' | 'describeAcceptor' | 'copyWal' }
>;

export class FakeAcceptors {
  /** Paths, as control says they are. */
  acceptors: readonly string[];
  /** What each says of itself, by path: how far it is committed, or why it does not answer. */
  readonly commits = new Map<string, number | Failure>();
  /** What each does when bytes are copied, by path: it fails so, or has them when nothing is said. */
  readonly refusals = new Map<string, Failure>();
  /** Those that have no log. */
  readonly lost = new Set<string>();
  /** First LSN of each log, by path, where it is not 0. */
  readonly firsts = new Map<string, number>();
  /** What was asked, in order: `awaitCommit b 120`. */
  readonly asks: string[] = [];
  now_ms = 0;
  readonly #waiting = new Map<string, PromiseWithResolvers<unknown>>();

  constructor(...acceptors: readonly string[]) {
    this.acceptors = acceptors;
  }

  get wal(): CommittedWal {
    const options = { control: 'control/host', host: 'a' } as WalSenderOptions;
    return new CommittedWal(this.context, options);
  }

  /** All that is used of an actor's context. */
  get context(): Context<WalSenderMessage> {
    const ask = ({ path }: { readonly path: string }, message: Asked): Promise<unknown> =>
      this.#onAsk(path, message);
    const clock = { monotonic_ms: () => this.now_ms };
    return {
      ask,
      clock,
      ref: (path: string) => ({ path }),
    } as unknown as Context<WalSenderMessage>;
  }

  /** What was asked of that kind. */
  asked(kind: string): readonly string[] {
    return this.asks
      .filter((ask) => ask.startsWith(`${kind} `))
      .map((ask) => ask.slice(kind.length + 1));
  }

  /** Answers the `awaitCommit` that waits at an acceptor. */
  async answer(path: string, commitLsn: number): Promise<void> {
    this.#waiting.get(path)!.resolve({ commitLsn });
    await heard();
  }

  async refuse(path: string, code: Failure['code']): Promise<void> {
    this.#waiting.get(path)!.reject(new Failure(code, {}));
    await heard();
  }

  opened(commitLsn: number): OpenedWal {
    const ranges = [{ timeline: 't', acceptors: this.acceptors, from: lsn(0), to: null }];
    const wal = { systemId: '1', major: 18, segmentSize: 2 ** 20, ranges };
    const source = walSource(wal, { startLsn: lsn(0), firstLsn: lsn(0) });
    return { source, commitLsn: lsn(commitLsn) };
  }

  #onAsk(path: string, message: Asked): Promise<unknown> {
    switch (message.kind) {
      case 'findAcceptors':
        this.asks.push(`findAcceptors ${message.timeline}`);
        return Promise.resolve(this.acceptors);
      case 'awaitCommit':
        this.asks.push(`awaitCommit ${path} ${message.at}`);
        this.#waiting.set(path, Promise.withResolvers());
        return this.#waiting.get(path)!.promise;
      case 'describeAcceptor':
        this.asks.push(`describeAcceptor ${path}`);
        return this.#describe(path);
      case 'copyWal':
        this.asks.push(`copyWal ${path}`);
        return this.#copy(path, message.size);
    }
  }

  #describe(path: string): Promise<unknown> {
    const commitLsn = this.commits.get(path) ?? 0;
    if (commitLsn instanceof Failure) return Promise.reject(commitLsn);
    const firstLsn = this.firsts.get(path) ?? 0;
    if (this.lost.has(path)) return Promise.resolve({ created: false, firstLsn: 0, commitLsn: 0 });
    return Promise.resolve({ created: true, startLsn: 0, firstLsn, commitLsn });
  }

  /** Bytes that say whose they are. */
  #copy(path: string, size: number): Promise<unknown> {
    const refusal = this.refusals.get(path);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (path === 'short') return Promise.resolve({ bytes: new Uint8Array(size - 1) });
    return Promise.resolve({ bytes: new Uint8Array(size).fill(path.charCodeAt(0)) });
  }
}

/** Promises that were settled have been heard of. */
function heard(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
