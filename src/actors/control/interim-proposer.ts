/**
 * InterimProposer: a proposer without a Postgres, elected for nothing but to bring a log to its members and
 * to commit what is there.
 */
import { Failure } from '../../base/failure.ts';
import { type TimelineIdentity } from '../../consensus/identity.ts';
import { type Configuration } from '../../consensus/membership.ts';
import { type Context } from '../../runtime/actor.ts';
import {
  type ElectResult,
  type ProposerMessage,
  type ProposerOptions,
} from '../proposer/protocol.ts';
import { anyAcceptorPath } from './computes.ts';
import { type ControlMessage } from './protocol.ts';

const answerTimeout_ms = 10_000;
const electionLimits = { timeout_ms: 15_000 };
/** For telling acceptors what is committed: it is nothing they would not learn otherwise. */
const releaseTimeout_ms = 1_000;
const reconnect_ms = 500;

/** Numbers them: two may be at work for one timeline, of which at most one is elected. */
let proposersNumbered = 0;

export class InterimProposer {
  readonly #context: Context<ControlMessage>;
  readonly #identity: TimelineIdentity;
  readonly #hosts: readonly string[];
  /** Path of the one that may have a reign; null when there is none. */
  #path: string | null = null;

  constructor(
    context: Context<ControlMessage>,
    identity: TimelineIdentity,
    hosts: readonly string[],
  ) {
    this.#context = context;
    this.#identity = identity;
    this.#hosts = hosts;
  }

  /** Ends whatever reign the timeline has. Fails as `elect` of a proposer does. */
  async elect(configuration: Configuration): Promise<ElectResult> {
    await this.release();
    const identity = this.#identity;
    const { timeline } = identity;
    const options: ProposerOptions = {
      acceptorPath: anyAcceptorPath(timeline, this.#hosts),
      answerTimeout_ms,
      reconnect_ms,
      followTimeout_ms: answerTimeout_ms,
    };
    const name = `interim-${timeline}-${(proposersNumbered += 1)}`;
    const spec = { behavior: 'proposer', name, options, thread: 'wal' };
    const { path } = await this.#context.spawn(spec);
    this.#path = path;
    const election = { owner: null, run: 0, timeout_ms: answerTimeout_ms };
    const elect = { kind: 'elect', identity, configuration, ...election } as const;
    const proposer = this.#context.ref<ProposerMessage>(path);
    return this.#context.ask(proposer, elect, electionLimits);
  }

  /** Its reign ends, if it has one. */
  async release(): Promise<void> {
    const path = this.#path;
    if (path === null) return;
    this.#path = null;
    const proposer = this.#context.ref<ProposerMessage>(path);
    try {
      const release = { kind: 'release', timeout_ms: releaseTimeout_ms } as const;
      await this.#context.ask(proposer, release, { timeout_ms: 2 * releaseTimeout_ms });
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure; // its reign has ended by itself
    }
    await this.#context.stop(this.#context.ref(path));
  }
}
