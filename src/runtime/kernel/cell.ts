/**
 * Cell: one actor's life on its thread: start, one message at a time, crash, restart, stop.
 *
 * Owns:    the mailbox, the current incarnation and its state, the asks the actor owes.
 * Promise: `receive` never runs twice at once; every ask delivered is answered, refused or expired;
 *          children are stopped, last started first, before the actor stops or restarts.
 * Never:   knows threads. The kernel routes; the control plane (control.ts) places.
 */
import { Failure } from '../../base/failure.ts';
import { type AnyBehavior, type AnyMessage, type Timer } from '../actor.ts';
import { ActorContext, type ContextOwner, type NodeServices } from './context.ts';
import { Mailbox, type Envelope, type SelfTimer } from './mailbox.ts';
import { cameAsAnswer, type Owed } from './reply.ts';
import { RestartHistory } from './restart-history.ts';
import { type Runnable } from './scheduler.ts';

/** What a cell needs of its thread, beyond what its actor does. */
export interface CellHost extends NodeServices {
  readonly counters: Counters;
  readonly stopTimeout_ms: number;
  ready(task: Runnable): void;
  traced(what: 'receive' | 'start' | 'crash' | 'halt' | 'end', cell: Cell, detail: string): void;
  /** The actor is gone for good. `failure` is set when its parent must hear of it. */
  gone(cell: Cell, failure: Failure | null): void;
}

export interface Counters {
  messages: number;
  tells_dropped: number;
  asks_refused: number;
  restarts: number;
}

export interface CellSpec {
  readonly path: string;
  /** Path of the actor it is a child of; empty at the top. */
  readonly parent: string;
  readonly behavior: AnyBehavior;
  readonly options: unknown;
  /** A crash is not met by a restart but by a crash of the parent. */
  readonly significant: boolean;
}

const owedSweepMin = 64;

type Phase = 'starting' | 'idle' | 'running' | 'restarting' | 'halted' | 'stopping' | 'ended';

export class Cell implements ContextOwner, Runnable {
  readonly path: string;
  readonly parent: string;
  readonly behavior: AnyBehavior;
  readonly children = new Set<string>();
  readonly owed: Owed = new Map();
  readonly mailbox: Mailbox;
  readonly #host: CellHost;
  readonly #options: unknown;
  readonly #significant: boolean;
  readonly #history: RestartHistory;
  #phase: Phase = 'starting';
  #context: ActorContext;
  #state: unknown = undefined;
  #queued = false;
  #endWanted = false;
  #backoff: Timer | null = null;
  #stopped: Promise<void> | null = null;
  /** Set while a stop waits for `start` or `receive` to settle. */
  #onQuiet: (() => void) | null = null;
  #dropped = 0;
  /** At this many owed asks, those that have expired are looked for. */
  #owedSweep = owedSweepMin;

  constructor(host: CellHost, spec: CellSpec) {
    this.path = spec.path;
    this.parent = spec.parent;
    this.behavior = spec.behavior;
    this.#options = spec.options;
    this.#significant = spec.significant;
    this.#host = host;
    this.mailbox = new Mailbox(spec.behavior.mailboxMax);
    this.#history = new RestartHistory(spec.behavior.intensity);
    this.#context = new ActorContext(host, this);
  }

  get phase(): Phase {
    return this.#phase;
  }

  get timers(): number {
    return this.#context.timers;
  }

  /** Runs the first `start`. When it fails the actor is gone, and the spawner gets the failure. */
  async start(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      this.#context.end();
      await this.#stopChildren();
      await this.#release();
      this.#end(null);
      throw error instanceof Failure ? error : this.#bug('actor_crashed', error);
    }
    // A crash during `start` from outside (a kill, a child) has been dealt with as any other.
  }

  deliver(envelope: Envelope): void {
    if (this.#phase === 'halted') this.#refuse(envelope, 'actor_halted');
    else if (this.#phase === 'ended') this.#refuse(envelope, 'actor_missing');
    else if (!this.mailbox.offer(envelope)) this.#refuse(envelope, 'mailbox_full');
    else if (this.#phase === 'idle') this.#wake();
  }

  receiveOwn(message: AnyMessage, timer: SelfTimer): void {
    this.deliver({ message, from: this.path, reply: null, timer });
  }

  endAfterMessage(): void {
    this.#endWanted = true;
  }

  /** Handles one message, then queues behind the other actors of the thread. */
  run(): void {
    this.#queued = false;
    if (this.#phase !== 'idle') return;
    const envelope = this.mailbox.take();
    if (envelope === null) return;
    const { message, reply } = this.#owe(envelope);
    const context = this.#context;
    this.#phase = 'running';
    this.#host.counters.messages += 1;
    this.#host.traced('receive', this, message.kind);
    try {
      const handled = this.behavior.receive(context, this.#state, message);
      if (handled === undefined) this.#settled(context);
      else this.#await(handled, context, message);
    } catch (error) {
      this.#threw(context, error, reply === null ? null : message);
    }
  }

  /** Fails the actor from outside, as if it had thrown: a child gave up, or a test kills it. */
  fail(error: unknown): void {
    if (this.#phase !== 'ended' && this.#phase !== 'halted' && this.#stopped === null)
      this.#crash(error);
  }

  /** Stops children, then the actor; waits for the current message first, within the deadline. */
  stop(): Promise<void> {
    this.#stopped ??= this.#runStop();
    return this.#stopped;
  }

  /** The thread is gone or going: no more steps, no answers. */
  abandon(): void {
    this.#phase = 'ended';
    this.#context.end();
    this.#backoff?.cancel();
  }

  async #begin(): Promise<void> {
    this.#phase = 'starting';
    const context = new ActorContext(this.#host, this);
    this.#context = context;
    this.#host.traced('start', this, '');
    try {
      const state = await this.behavior.start(context, this.#options);
      if (context.ended) return;
      this.#state = state;
      this.#phase = 'idle';
    } catch (error) {
      if (!context.ended) throw error;
    } finally {
      this.#onQuiet?.();
    }
    this.#proceed();
  }

  /** An ask's message is remembered by identity; one that is owed already gets a new identity. */
  #owe(envelope: Envelope): Envelope {
    if (envelope.reply === null) return envelope;
    if (this.owed.size >= this.#owedSweep) this.#forgetExpired();
    const message = this.owed.has(envelope.message) ? { ...envelope.message } : envelope.message;
    this.owed.set(message, envelope.reply);
    return message === envelope.message ? envelope : { ...envelope, message };
  }

  /** Asks that expired and that the actor never answered would otherwise stay for ever. */
  #forgetExpired(): void {
    for (const [message, reply] of this.owed) if (reply.settled) this.owed.delete(message);
    this.#owedSweep = Math.max(owedSweepMin, 2 * this.owed.size);
  }

  #await(handled: Promise<void>, context: ActorContext, message: AnyMessage): void {
    handled.then(
      () => {
        this.#settled(context);
      },
      (error: unknown) => {
        this.#threw(context, error, message);
      },
    );
  }

  #settled(context: ActorContext): void {
    if (context.ended) return;
    this.#phase = 'idle';
    this.#onQuiet?.();
    this.#proceed();
  }

  #proceed(): void {
    if (this.#phase !== 'idle' || this.#stopped !== null) return;
    if (this.#endWanted) void this.stop();
    else if (this.mailbox.length > 0) this.#wake();
  }

  #wake(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#host.ready(this);
  }

  /** See `Behavior` for what is refused, halted and crashed. */
  #threw(context: ActorContext, error: unknown, message: AnyMessage | null): void {
    if (context.ended) return;
    if (!(error instanceof Failure)) {
      this.#crash(error);
      return;
    }
    const halts = error.kind === 'corrupt' && !cameAsAnswer(error);
    const reply = message === null ? undefined : this.owed.get(message);
    if (message !== null) this.owed.delete(message);
    if (reply !== undefined) reply.reject(error);
    else this.#log('warn', 'message failed', { failure: error.message });
    if (halts) this.#halt(error);
    else this.#settled(context);
  }

  #halt(failure: Failure): void {
    this.#log('error', 'actor halted', { failure: failure.message });
    this.#host.traced('halt', this, failure.code);
    this.#phase = 'halted';
    this.#context.end();
    this.#refuseOwed('actor_halted');
    this.#refuseWaiting('actor_halted');
    this.#onQuiet?.();
    void this.#stopChildren();
  }

  #crash(error: unknown): void {
    this.#log('error', 'actor crashed', { error: stackOf(error) });
    this.#host.traced('crash', this, String(error));
    this.#phase = 'restarting';
    this.#context.end();
    this.#refuseOwed('actor_crashed');
    this.#onQuiet?.();
    if (this.#stopped === null) void this.#recover(error);
  }

  async #recover(error: unknown): Promise<void> {
    await this.#stopChildren();
    await this.#release();
    if (this.#phase !== 'restarting' || this.#stopped !== null) return;
    if (this.#significant) {
      this.#end(this.#bug('actor_crashed', error));
      return;
    }
    if (this.behavior.restart === 'temporary') {
      this.#end(null);
      return;
    }
    const delay_ms = this.#history.next_ms(this.#host.clock.monotonic_ms());
    if (delay_ms === null) this.#end(this.#bug('actor_restarts_exhausted', error));
    else this.#backoff = this.#host.later(delay_ms, this.#restart);
  }

  readonly #restart = (): void => {
    this.#backoff = null;
    if (this.#phase !== 'restarting' || this.#stopped !== null) return;
    this.#host.counters.restarts += 1;
    this.#begin().catch((error: unknown) => {
      if (error instanceof Failure && error.kind === 'corrupt') this.#halt(error);
      else this.#crash(error);
    });
  };

  async #runStop(): Promise<void> {
    this.#backoff?.cancel();
    if (this.#phase === 'running' || this.#phase === 'starting') {
      const quiet = new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
      });
      await this.#within(quiet, 'current message');
    }
    if (this.#phase === 'ended') return;
    const alive = this.#phase === 'idle';
    this.#phase = 'stopping';
    await this.#stopChildren();
    if (alive) await this.#within(this.#runBehaviorStop(), 'stop');
    await this.#release();
    this.#end(null);
  }

  async #runBehaviorStop(): Promise<void> {
    try {
      await this.behavior.stop(this.#context, this.#state);
    } catch (error) {
      this.#log('error', 'stop failed', { error: stackOf(error) });
    }
  }

  /** Waits for `work`, but no longer than an actor may take to stop. */
  async #within(work: Promise<void>, what: string): Promise<void> {
    let overdue: Timer | null = null;
    const deadline = new Promise<void>((resolve) => {
      overdue = this.#host.later(this.#host.stopTimeout_ms, () => {
        this.#log('error', 'actor stop timed out', { waitedFor: what });
        resolve();
      });
    });
    await Promise.race([work, deadline]);
    (overdue as Timer | null)?.cancel();
  }

  async #release(): Promise<void> {
    await this.#within(this.#context.release(), 'release');
  }

  async #stopChildren(): Promise<void> {
    await this.#within(this.#context.releaseFirst(), 'release');
    for (const child of [...this.children].reverse()) {
      await this.#host.stop(child);
      this.children.delete(child);
    }
  }

  #end(failure: Failure | null): void {
    this.#phase = 'ended';
    this.#context.end();
    this.#refuseOwed('actor_missing');
    this.#refuseWaiting('actor_missing');
    this.#host.traced('end', this, failure === null ? '' : failure.code);
    this.#host.gone(this, failure);
  }

  #refuseOwed(code: 'actor_missing' | 'actor_crashed' | 'actor_halted'): void {
    const owed = [...this.owed.values()];
    this.owed.clear();
    for (const reply of owed) reply.reject(new Failure(code, { path: this.path }));
  }

  #refuseWaiting(code: 'actor_missing' | 'actor_halted'): void {
    for (let next = this.mailbox.take(); next !== null; next = this.mailbox.take())
      this.#refuse(next, code);
  }

  #refuse(envelope: Envelope, code: 'actor_missing' | 'actor_halted' | 'mailbox_full'): void {
    const { counters } = this.#host;
    if (envelope.reply !== null) {
      counters.asks_refused += 1;
      envelope.reply.reject(new Failure(code, { path: this.path, message: envelope.message.kind }));
      return;
    }
    if (envelope.timer !== null) return; // one's own tick, after the end
    counters.tells_dropped += 1;
    this.#dropped += 1;
    const { from, message } = envelope;
    // A flood is logged at its 1st, 2nd, 4th, 8th … message.
    if ((this.#dropped & (this.#dropped - 1)) === 0)
      this.#log('warn', 'message dropped', {
        code,
        from,
        message: message.kind,
        count: this.#dropped,
      });
  }

  #log(level: 'warn' | 'error', text: string, values: Record<string, string | number>): void {
    this.#host.log(level, this.path, text, values);
  }

  #bug(code: 'actor_crashed' | 'actor_restarts_exhausted', error: unknown): Failure {
    return new Failure(code, { path: this.path, error: String(error) }, error);
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
