/**
 * ActorContext: what one incarnation of an actor can do. When the incarnation ends its timers are
 * cancelled, its asks fail with `actor_stopped` and its tells go nowhere, so that promises it left
 * behind cannot act for its successor.
 */
import { Failure } from '../../base/failure.ts';
import {
  type ActorRef,
  type AnyMessage,
  type Ask,
  type AskLimits,
  type ChildSpec,
  type Clock,
  type Context,
  type Log,
  type LogLevel,
  type LogValues,
  type Random,
  type ResultOf,
  type Timer,
} from '../actor.ts';
import { type SelfTimer } from './mailbox.ts';
import { type Owed } from './reply.ts';

/** What the kernel offers to every actor of its thread. */
export interface NodeServices {
  readonly clock: Clock;
  readonly random: Random;
  log(level: LogLevel, source: string, text: string, values: LogValues): void;
  tell(from: string, to: string, message: AnyMessage): void;
  ask(from: string, to: string, message: AnyMessage, limits: AskLimits): Promise<unknown>;
  later(delay_ms: number, action: () => void): Timer;
  spawn(parent: string, child: ChildSpec): Promise<void>;
  stop(path: string): Promise<void>;
}

type Release = () => Promise<void> | void;

/** The actor whose incarnation this is. */
export interface ContextOwner {
  readonly path: string;
  readonly owed: Owed;
  /** Paths in start order. */
  readonly children: Set<string>;
  receiveOwn(message: AnyMessage, timer: SelfTimer): void;
  endAfterMessage(): void;
}

export class ActorContext implements Context<AnyMessage> {
  readonly self: ActorRef<AnyMessage>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly #node: NodeServices;
  readonly #owner: ContextOwner;
  readonly #timers = new Set<Timer>();
  readonly #releases: Release[] = [];
  readonly #firstReleases: Release[] = [];
  #ended = false;

  constructor(node: NodeServices, owner: ContextOwner) {
    this.#node = node;
    this.#owner = owner;
    this.self = { path: owner.path };
    this.clock = node.clock;
    this.random = node.random;
    this.log = (level, text, values = {}) => {
      node.log(level, owner.path, text, values);
    };
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Pending; those without a delay are in the mailbox already. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Ends the incarnation. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** Runs what was given to `onEnd`, last first. Never fails. */
  release(): Promise<void> {
    return this.#run(this.#releases);
  }

  /** Runs what was given to `onEndFirst`, last first. Never fails. */
  releaseFirst(): Promise<void> {
    return this.#run(this.#firstReleases);
  }

  onEnd(release: Release): void {
    this.#releases.push(release);
  }

  onEndFirst(release: Release): void {
    this.#firstReleases.push(release);
  }

  ref<Other extends AnyMessage>(path: string): ActorRef<Other> {
    return { path };
  }

  tell<Other extends AnyMessage>(to: ActorRef<Other>, message: Other): void {
    if (!this.#ended) this.#node.tell(this.#owner.path, to.path, message);
  }

  ask<Other extends AnyMessage, Kind extends Other['kind']>(
    to: ActorRef<Other>,
    message: NoInfer<Other> & { readonly kind: Kind },
    limits: AskLimits,
  ): Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>> {
    const answer = this.#ended
      ? Promise.reject(this.#stopped())
      : this.#node.ask(this.#owner.path, to.path, message, limits);
    // The result's type is the protocol's claim; the answering side is checked by `answer`.
    return answer as Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>>;
  }

  answer<Asked extends Ask<string, unknown>>(asked: Asked, result: ResultOf<Asked>): void {
    const reply = this.#owner.owed.get(asked);
    if (reply === undefined || this.#ended) return; // the asker gave up, or asked our predecessor
    this.#owner.owed.delete(asked);
    reply.resolve(result);
  }

  refuse(asked: AnyMessage, failure: Failure): void {
    const reply = this.#owner.owed.get(asked);
    if (reply === undefined || this.#ended) return;
    this.#owner.owed.delete(asked);
    reply.reject(failure);
  }

  after(delay_ms: number, message: AnyMessage): Timer {
    const timer = new OwnTimer(this);
    if (this.#ended) return timer;
    if (delay_ms === 0) {
      this.#owner.receiveOwn(message, timer);
      return timer;
    }
    this.#timers.add(timer);
    const due = (): void => {
      this.#timers.delete(timer);
      this.#owner.receiveOwn(message, timer);
    };
    timer.arm(this.#node.later(delay_ms, due), this.#timers);
    return timer;
  }

  async spawn(child: ChildSpec): Promise<ActorRef<AnyMessage>> {
    if (this.#ended) throw this.#stopped();
    const { children, path: parent } = this.#owner;
    const path = `${child.behavior}/${child.name}`;
    const known = children.has(path);
    children.add(path); // before it lives, so that whoever ends this actor meanwhile ends it too
    try {
      await this.#node.spawn(parent, child);
    } catch (error) {
      if (!known) children.delete(path);
      throw error;
    }
    return { path };
  }

  async stop(child: ActorRef<AnyMessage>): Promise<void> {
    if (child.path === this.#owner.path) {
      this.#owner.endAfterMessage();
      return;
    }
    if (this.#ended) throw this.#stopped(); // by now the path may be our successor's child's
    await this.#node.stop(child.path);
    this.#owner.children.delete(child.path);
  }

  async #run(releases: Release[]): Promise<void> {
    for (let release = releases.pop(); release !== undefined; release = releases.pop()) {
      try {
        await release();
      } catch (error) {
        this.log('error', 'release failed', { error: String(error) });
      }
    }
  }

  #stopped(): Failure {
    return new Failure('actor_stopped', { path: this.#owner.path });
  }
}

/** A message to oneself: on the clock, then in the mailbox, and dead when its incarnation is. */
class OwnTimer implements SelfTimer, Timer {
  readonly #context: ActorContext;
  #cancelled = false;
  #armed: Timer | null = null;
  #among: Set<Timer> | null = null;

  constructor(context: ActorContext) {
    this.#context = context;
  }

  get cancelled(): boolean {
    return this.#cancelled || this.#context.ended;
  }

  arm(armed: Timer, among: Set<Timer>): void {
    this.#armed = armed;
    this.#among = among;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#armed?.cancel();
    this.#among?.delete(this);
  }
}
