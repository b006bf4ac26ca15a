/**
 * Kernel: runs the actors of one thread and carries messages between them and to other threads.
 *
 * Owns:    the cells of its thread, its pending asks and their deadlines.
 * Promise: messages of one sender to one receiver arrive in order; every ask settles by its deadline.
 * Never:   knows which world it runs in: scheduler, transport, directory, clock and control plane
 *          are parameters, and the simulator brings its own.
 */
import { assert } from '../../base/assert.ts';
import {
  ensure,
  Failure,
  failureFromData,
  failureToData,
  type FailureData,
} from '../../base/failure.ts';
import {
  type AnyMessage,
  type AskLimits,
  type Behaviors,
  type ChildSpec,
  type Clock,
  type LogLevel,
  type LogValues,
  type Random,
  type Timer,
} from '../actor.ts';
import { Cell, type CellHost, type Counters } from './cell.ts';
import { type Control, type Host } from './control.ts';
import { Deadlines } from './deadlines.ts';
import { type AskFrame, type Frame } from './frame.ts';
import { PendingAsk, RemoteReply, type Outcome, type Reply } from './reply.ts';
import { type Runnable, type Scheduler } from './scheduler.ts';
import { hostOfPath, localPath } from '../peers/peer-path.ts';
import { type Trace, type TraceEvent } from '../trace.ts';

/** Carries frames to other threads, in order per thread. */
export interface Transport {
  /**
   * False when there is no room and `waits` is null, or no such thread. Else the frame is kept until
   * there is room, unless `waits` settles first; `ring_full` when too many are kept already.
   */
  send(thread: number, frame: Frame, waits: { readonly settled: boolean } | null): boolean;
}

/** Which thread an actor lives on; null when none does. */
export interface Directory {
  threadOf(path: string): number | null;
}

export interface KernelWorld {
  readonly thread: string;
  readonly threadIndex: number;
  /** Name of this host among others; a path may begin with it. null for a host on its own. */
  readonly hostName: string | null;
  readonly behaviors: Behaviors;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: Directory;
  readonly transport: Transport;
  readonly control: Control;
  readonly stopTimeout_ms: number;
  readonly log: (level: LogLevel, source: string, text: string, values: LogValues) => void;
  readonly trace: Trace | null;
}

export interface KernelStats extends Counters {
  readonly thread: string;
  readonly actors: number;
  readonly pendingAsks: number;
  /** Messages to oneself that are not due yet. */
  readonly timers: number;
  readonly mailboxHighWater: number;
}

/** What another thread, or another host, is to answer. */
interface Away {
  readonly reply: Reply;
  readonly thread: number;
  readonly path: string;
}

/** An answer, or a word about an ask, waits for room as long as it takes. */
const answerWaits = { settled: false } as const;

export class Kernel implements CellHost, Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly stopTimeout_ms: number;
  readonly counters: Counters = { messages: 0, tells_dropped: 0, asks_refused: 0, restarts: 0 };
  readonly #world: KernelWorld;
  readonly #cells = new Map<string, Cell>();
  readonly #deadlines: Deadlines;
  /** Asks of this thread that went to others, or through it to others, by number. */
  readonly #away = new Map<number, Away>();
  /** Asks of other threads that are not settled here, by thread and number. */
  readonly #visiting = new Map<string, RemoteReply>();
  #nextAskId = 1;
  #closed = false;
  #mailboxHighWater = 0;

  constructor(world: KernelWorld) {
    this.#world = world;
    this.clock = world.clock;
    this.random = world.random;
    this.stopTimeout_ms = world.stopTimeout_ms;
    this.#deadlines = new Deadlines(world.scheduler, () => world.clock.monotonic_ms());
  }

  get thread(): string {
    return this.#world.thread;
  }

  stats(): KernelStats {
    let mailboxHighWater = this.#mailboxHighWater;
    let timers = 0;
    for (const cell of this.#cells.values()) {
      mailboxHighWater = Math.max(mailboxHighWater, cell.mailbox.highWater);
      timers += cell.timers;
    }
    return {
      ...this.counters,
      thread: this.thread,
      actors: this.#cells.size,
      pendingAsks: this.#deadlines.pending,
      timers,
      mailboxHighWater,
    };
  }

  // ---- what actors do ----

  tell(from: string, path: string, message: AnyMessage): void {
    const to = this.#withoutOwnName(path);
    this.#traceSend('tell', from, to, message.kind);
    const cell = this.#cells.get(to);
    if (cell !== undefined) {
      cell.deliver({ message, from, reply: null, timer: null });
      return;
    }
    this.#tellAway(from, to, message);
  }

  ask(from: string, path: string, message: AnyMessage, limits: AskLimits): Promise<unknown> {
    const to = this.#withoutOwnName(path);
    this.#traceSend('ask', from, to, message.kind);
    if (this.#closed) return Promise.reject(new Failure('runtime_stopped', { path: to }));
    return new Promise((resolve, reject) => {
      const id = this.#nextAskId;
      this.#nextAskId += 1;
      const asked = { id, path: to, kind: message.kind, timeout_ms: limits.timeout_ms };
      const ask = new PendingAsk(asked, this.#deadlines, { resolve, reject });
      const cell = this.#cells.get(to);
      if (cell === undefined) this.#askAway(ask, from, message);
      else cell.deliver({ message, from, reply: ask, timer: null });
    });
  }

  later(delay_ms: number, action: () => void): Timer {
    return this.#world.scheduler.after(delay_ms, action);
  }

  async spawn(parent: string, child: ChildSpec): Promise<void> {
    const { control } = this.#world;
    if (child.thread !== null && child.thread !== this.thread) {
      await control.spawn(parent, child);
      return;
    }
    checkPath(child);
    await control.register(this.thread, pathOf(child), parent);
    await this.start(parent, child);
  }

  // ---- what the roster does ----

  /** Starts an actor whose path is registered here. A failed start takes the registration back. */
  async start(parent: string, child: ChildSpec): Promise<void> {
    const path = pathOf(child);
    assert(!this.#cells.has(path), 'a path is registered once');
    const behavior = this.#world.behaviors[child.behavior];
    if (behavior === undefined) {
      this.#world.control.gone(path, null);
      throw new Failure('behavior_unknown', { behavior: child.behavior, thread: this.thread });
    }
    const { options, significant = false } = child;
    const cell = new Cell(this, { path, parent, behavior, options, significant });
    this.#cells.set(path, cell);
    await cell.start();
  }

  async stop(path: string): Promise<void> {
    const cell = this.#cells.get(path);
    if (cell !== undefined) await cell.stop();
    else if (this.#world.directory.threadOf(path) !== this.#world.threadIndex)
      await this.#world.control.stop(path);
  }

  fail(path: string, failure: FailureData): void {
    this.#cells.get(path)?.fail(new ChildFailed(failureFromData(failure)));
  }

  // ---- what the transport does ----

  onFrame(thread: number, frame: Frame): void {
    switch (frame[0]) {
      case 0:
        this.#onTellFrame(frame[1], frame[2], frame[3]);
        return;
      case 1:
        this.#onAskFrame(thread, frame);
        return;
      case 2:
        this.#away.get(frame[1])?.reply.resolve(frame[2]);
        return;
      case 3:
        this.#away.get(frame[1])?.reply.reject(failureFromData(frame[2]));
        return;
      case 4:
        this.#onForgetFrame(thread, frame[1]);
    }
  }

  /** Another thread is gone: what was asked of it fails, what it asked has nobody waiting. */
  onThreadDied(thread: number, name: string): void {
    this.onPartnerGone(thread, new Failure('thread_died', { thread: name }));
  }

  /** The same for a thread or a connection to another host: `failure` says what became of it. */
  onPartnerGone(thread: number, { code, values }: Failure): void {
    for (const { reply, thread: askedOf, path } of [...this.#away.values()])
      if (askedOf === thread) reply.reject(new Failure(code, { ...values, path }));
    for (const [key, reply] of [...this.#visiting]) {
      if (!key.startsWith(`${thread}:`)) continue;
      reply.forget();
      this.#visiting.delete(key);
    }
  }

  /** The runtime has stopped: who still waits for another thread is told, and nobody may ask more. */
  close(): void {
    this.#closed = true;
    this.#deadlines.close();
    for (const { reply, path } of [...this.#away.values()])
      reply.reject(new Failure('runtime_stopped', { path }));
  }

  /** The thread dies with its actors; what they wait for never comes. */
  abandon(): void {
    for (const cell of this.#cells.values()) cell.abandon();
    this.#cells.clear();
  }

  // ---- what cells do ----

  log(level: LogLevel, source: string, text: string, values: LogValues): void {
    this.#world.log(level, source, text, values);
  }

  ready(task: Runnable): void {
    this.#world.scheduler.ready(task);
  }

  gone(cell: Cell, failure: Failure | null): void {
    this.#mailboxHighWater = Math.max(this.#mailboxHighWater, cell.mailbox.highWater);
    this.#cells.delete(cell.path);
    this.#world.control.gone(cell.path, failure === null ? null : failureToData(failure));
  }

  traced(what: TraceEvent['what'], cell: Cell, detail: string): void {
    const { trace } = this.#world;
    if (trace === null) return;
    const { path } = cell;
    trace({
      at_ms: this.clock.monotonic_ms(),
      what,
      thread: this.thread,
      from: path,
      to: path,
      detail,
    });
  }

  #withoutOwnName(path: string): string {
    const { hostName } = this.#world;
    return hostName !== null && hostOfPath(path) === hostName ? localPath(path) : path;
  }

  #tellAway(from: string, to: string, message: AnyMessage): void {
    const { directory, transport, threadIndex } = this.#world;
    const thread = directory.threadOf(to);
    if (thread === null || thread === threadIndex) {
      this.#dropTell(from, to, message, 'actor_missing');
    } else if (!transport.send(thread, [0, to, from, message], null)) {
      this.#dropTell(from, to, message, 'ring_full');
    }
  }

  #askAway(ask: PendingAsk, from: string, message: AnyMessage): void {
    const { directory, transport, threadIndex } = this.#world;
    const thread = directory.threadOf(ask.path);
    if (thread === null || thread === threadIndex) {
      ask.reject(new Failure('actor_missing', { path: ask.path, message: message.kind }));
      return;
    }
    this.#away.set(ask.id, { reply: ask, thread, path: ask.path });
    ask.onSettled = (expired) => {
      this.#away.delete(ask.id);
      if (expired) transport.send(thread, [4, ask.id], answerWaits);
    };
    try {
      if (!transport.send(thread, [1, ask.id, ask.path, from, message], ask))
        ask.reject(new Failure('thread_died', { path: ask.path }));
    } catch (error) {
      ask.reject(asFailure(error));
    }
  }

  #onTellFrame(to: string, from: string, message: AnyMessage): void {
    const cell = this.#cells.get(to);
    if (cell === undefined) this.#tellAway(from, to, message);
    else cell.deliver({ message, from, reply: null, timer: null });
  }

  #onAskFrame(thread: number, frame: AskFrame): void {
    const [, id, to, from, message] = frame;
    const key = `${thread}:${id}`;
    const reply = new RemoteReply((outcome) => {
      this.#visiting.delete(key);
      this.#sendOutcome(thread, id, outcome);
    });
    this.#visiting.set(key, reply);
    const cell = this.#cells.get(to);
    if (cell === undefined) this.#passOn(reply, frame);
    else cell.deliver({ message, from, reply, timer: null });
  }

  /** An ask of another host, for an actor of another thread: its asker has the deadline. */
  #passOn(reply: RemoteReply, [, , path, from, message]: AskFrame): void {
    const { directory, transport, threadIndex } = this.#world;
    const thread = directory.threadOf(path);
    if (thread === null || thread === threadIndex) {
      reply.reject(new Failure('actor_missing', { path, message: message.kind }));
      return;
    }
    const id = this.#nextAskId;
    this.#nextAskId += 1;
    const onward: Reply = {
      get settled() {
        return reply.settled;
      },
      resolve: (result) => {
        this.#away.delete(id);
        reply.resolve(result);
      },
      reject: (failure) => {
        this.#away.delete(id);
        reply.reject(failure);
      },
    };
    this.#away.set(id, { reply: onward, thread, path });
    reply.onForgotten = () => {
      this.#away.delete(id);
      transport.send(thread, [4, id], answerWaits);
    };
    try {
      if (!transport.send(thread, [1, id, path, from, message], onward))
        onward.reject(new Failure('thread_died', { path }));
    } catch (error) {
      onward.reject(asFailure(error));
    }
  }

  #sendOutcome(thread: number, id: number, { result, failure }: Outcome): void {
    const { transport } = this.#world;
    if (failure !== null) {
      transport.send(thread, [3, id, failureToData(failure)], answerWaits);
      return;
    }
    try {
      transport.send(thread, [2, id, result], answerWaits);
    } catch (error) {
      transport.send(thread, [3, id, failureToData(asFailure(error))], answerWaits);
    }
  }

  #onForgetFrame(thread: number, id: number): void {
    const key = `${thread}:${id}`;
    this.#visiting.get(key)?.forget();
    this.#visiting.delete(key);
  }

  #dropTell(from: string, to: string, message: AnyMessage, code: string): void {
    this.counters.tells_dropped += 1;
    const count = this.counters.tells_dropped;
    // A flood is logged at its 1st, 2nd, 4th, 8th … message.
    if ((count & (count - 1)) === 0)
      this.log('warn', to, 'message dropped', { code, from, message: message.kind, count });
  }

  #traceSend(what: 'tell' | 'ask', from: string, to: string, detail: string): void {
    const { trace } = this.#world;
    if (trace === null) return;
    trace({ at_ms: this.clock.monotonic_ms(), what, thread: this.thread, from, to, detail });
  }
}

/** Not a `Failure`: a child that gave up crashes its parent, whatever the kind of its last failure. */
class ChildFailed extends Error {
  override readonly name = 'ChildFailed';

  constructor(failure: Failure) {
    super(failure.message, { cause: failure });
  }
}

export function pathOf(child: ChildSpec): string {
  return `${child.behavior}/${child.name}`;
}

const pathLength_max = 120;

/** A path is what fits the directory: printable ASCII, at most 120 characters. */
export function checkPath(child: ChildSpec): void {
  const path = pathOf(child);
  const holds = path.length <= pathLength_max && /^[a-z][a-z0-9-]*\/[\x21-\x7e]+$/.test(path);
  ensure(holds, 'actor_path_invalid', { path });
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('actor_crashed', { error: String(error) }, error);
}
