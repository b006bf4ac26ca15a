/**
 * Simulation: the same kernels, cells and roster on one thread, with virtual time and a scheduler whose
 * every choice is the seed's: who runs next, how long a message takes between threads, when a timer
 * overtakes work that waits.
 *
 * Promise: same seed and same calls, same trace, on every machine.
 * Never:   reads a real clock or real randomness. What actors touch besides (disks, networks) is the
 *          test's to simulate, with `after`, `clock` and `random` from here.
 */
import { setImmediate as macrotask } from 'node:timers/promises';
import { assert } from '../base/assert.ts';
import { type Failure } from '../base/failure.ts';
import { type LogEntry } from '../io/log.ts';
import { SeededRandom } from '../io/random.ts';
import {
  type ActorRef,
  type AnyMessage,
  type AskLimits,
  type Behaviors,
  type ChildSpec,
  type Clock,
  type ResultOf,
  type Timer,
} from './actor.ts';
import { Roster, type ChildSpecOf } from './kernel/roster.ts';
import { SeededScheduler } from './kernel/seeded-scheduler.ts';
import {
  SimulatedThreads,
  type Network,
  type SimulatedHost,
  type SimulatedThread,
} from './simulated-threads.ts';
import { type Trace, type TraceEvent } from './trace.ts';

export interface SimulationOptions {
  /** A whole number. Print it when something fails. */
  readonly seed: number;
  readonly behaviors: Behaviors;
  /** Simulated threads beside `main` that belong to no host: nothing is between them and the others. */
  readonly threads?: readonly string[];
  readonly hosts?: readonly SimulatedHost[];
  /** Between hosts; absent: as within one. */
  readonly network?: Network;
  /** Longest time a message takes between threads of one host. */
  readonly hopMax_ms?: number;
  /** One in so many tells between threads of one host finds the ring full; null for none. */
  readonly tellLoss_oneIn?: number | null;
  /** Absent: events are collected in `trace`. */
  readonly onTrace?: Trace;
}

/** The seed's streams of random numbers are so far apart. */
const stream = 1_000_003;

export class Simulation {
  /** The world's: what no host's clock does to it. */
  readonly clock: Clock;
  /** For the world around the actors; the scheduler draws from its own. */
  readonly random: SeededRandom;
  readonly trace: TraceEvent[] = [];
  readonly logged: LogEntry[] = [];
  /** Why an actor at the top gave up, once one has. */
  failure: Failure | null = null;
  readonly #scheduler: SeededScheduler;
  readonly #roster: Roster;
  readonly #threads: SimulatedThreads;
  readonly #names: readonly string[];
  /** What is to be started again, by the name of its thread. */
  readonly #lost = new Map<string, ChildSpecOf[]>();
  /** Numbers the deaths of a thread: only the last one's end brings it back. */
  readonly #deaths = new Map<string, number>();
  #waiters = 0;
  #ended = false;
  /** Settles when nobody waits any more. */
  #pumping: Promise<void> | null = null;

  constructor(options: SimulationOptions) {
    const { seed, behaviors, hosts = [] } = options;
    this.random = new SeededRandom(seed);
    this.#scheduler = new SeededScheduler(new SeededRandom(seed + 2 * stream));
    this.#names = ['main', ...(options.threads ?? []), ...hosts.flatMap(({ threads }) => threads)];
    this.#roster = new Roster({
      thread: (name) => this.#onThread(name),
      knows: (name) => this.#names.includes(name),
      publish: (path, thread) => {
        this.#threads.publish(path, thread);
      },
      withdraw: (path) => {
        this.#threads.withdraw(path);
      },
      failed: (failure) => {
        this.failure = failure;
      },
    });
    this.#threads = new SimulatedThreads({
      scheduler: this.#scheduler,
      random: new SeededRandom(seed + stream),
      behaviors,
      control: this.#roster,
      hosts,
      network: options.network ?? null,
      hopMax_ms: options.hopMax_ms ?? 1,
      tellLoss_oneIn: options.tellLoss_oneIn ?? null,
      log: (level, source, text, values) => {
        const thread = this.#roster.threadNameOf(source) ?? '';
        const time_ms = this.clock.now_ms();
        this.logged.push({ time_ms, level, thread, source, text, values });
      },
      trace: options.onTrace ?? ((event) => this.trace.push(event)),
    });
    this.clock = this.#threads.clockOf(null);
    for (const name of this.#names) this.#threads.start(name);
  }

  /** Virtual time since the start, in the world's milliseconds. */
  get now_ms(): number {
    return this.#scheduler.now_ms;
  }

  get steps(): number {
    return this.#scheduler.steps;
  }

  ref<Message extends AnyMessage>(path: string): ActorRef<Message> {
    return { path };
  }

  tell<Message extends AnyMessage>(to: ActorRef<Message>, message: Message): void {
    this.#up('main').kernel.tell('', to.path, message);
  }

  ask<Other extends AnyMessage, Kind extends Other['kind']>(
    to: ActorRef<Other>,
    message: NoInfer<Other> & { readonly kind: Kind },
    limits: AskLimits,
  ): Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>> {
    const answer = this.run(this.#up('main').kernel.ask('', to.path, message, limits));
    // The result's type is the protocol's claim; the answering side is checked by `answer`.
    return answer as Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>>;
  }

  async spawn(child: ChildSpec): Promise<ActorRef<AnyMessage>> {
    await this.run(this.#roster.spawn('', child));
    return { path: `${child.behavior}/${child.name}` };
  }

  /** Stops every actor, last started first. */
  async stop(): Promise<void> {
    await this.run(this.#roster.stopAll());
  }

  /** Nothing happens any more: whoever still waits for this simulation waits for ever. */
  end(): void {
    this.#ended = true;
  }

  isUp(thread: string): boolean {
    return this.#threads.named(thread) !== null;
  }

  /** Crashes an actor as a bug in it would. False when nobody lives at the path. */
  crashActor(path: string): boolean {
    return this.#roster.kill(path);
  }

  /** A thread dies with its actors, stays away for `down_ms`, and comes back as after a real death. */
  crashThread(name: string, down_ms = 0): Promise<void> {
    return this.crashThreads([name], down_ms);
  }

  /**
   * Threads die at once, as with their process. One that is down already stays away for `down_ms` from
   * now. Settles when that time is over and, unless they died again, they are back.
   */
  crashThreads(names: readonly string[], down_ms: number): Promise<void> {
    assert(!names.includes('main'), 'what no host has does not crash');
    for (const name of names) {
      const thread = this.#threads.named(name);
      if (thread !== null) this.#threads.kill(thread);
    }
    return this.run(this.#bringBack(names, down_ms));
  }

  /** The thread does nothing for a while, and does not know: as when its machine is paused. */
  pauseThread(name: string, pause_ms: number): void {
    this.#up(name).lane.pauseUntil(this.now_ms + pause_ms);
  }

  /** A host takes its connection with another for lost: whatever it asked there fails. */
  loseContact(host: string, other: string): void {
    this.#threads.loseContact(host, other);
  }

  /** Somebody sets a host's wall clock. */
  jumpClock(host: string, by_ms: number): void {
    this.#threads.jumpClock(host, by_ms);
  }

  /** For the simulated world: runs `action` when that much virtual time has passed. */
  after(delay_ms: number, action: () => void): Timer {
    return this.#up('main').lane.after(delay_ms, action);
  }

  /** Lets virtual time pass. */
  async runFor(duration_ms: number): Promise<void> {
    await this.run(this.#passes(duration_ms));
  }

  /** Lets the simulated world go on until `work` settles. */
  async run<T>(work: Promise<T>): Promise<T> {
    this.#waiters += 1;
    void work.catch(() => undefined).finally(() => (this.#waiters -= 1));
    this.#pumping ??= this.#pump();
    // Whoever came first does not wait for those who came later.
    return await Promise.race([work, this.#pumping.then(() => work)]);
  }

  /** One step at a time; all promises that a step settles have run before the next. */
  async #pump(): Promise<void> {
    try {
      for (;;) {
        await macrotask();
        if (this.#ended) await new Promise(() => undefined);
        if (this.#waiters === 0) return;
        assert(this.#scheduler.step(), 'whoever waits in a simulation waits for something in it');
      }
    } finally {
      this.#pumping = null;
    }
  }

  #passes(duration_ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.after(duration_ms, resolve);
    });
  }

  async #bringBack(names: readonly string[], down_ms: number): Promise<void> {
    const death = new Map<string, number>();
    for (const name of names) {
      death.set(name, (this.#deaths.get(name) ?? 0) + 1);
      this.#deaths.set(name, death.get(name)!);
    }
    for (const name of names) {
      const lost = this.#lost.get(name) ?? [];
      this.#lost.set(name, lost);
      lost.push(...(await this.#roster.clearThread(name)));
    }
    await this.#passes(down_ms);
    const back = names.filter((name) => this.#deaths.get(name) === death.get(name));
    for (const name of back) this.#threads.start(name);
    for (const name of back) {
      const lost = this.#lost.get(name)!;
      while (lost.length > 0 && this.#deaths.get(name) === death.get(name))
        await this.#roster.respawn([lost.shift()!]);
    }
  }

  #up(name: string): SimulatedThread {
    const thread = this.#threads.named(name);
    assert(thread !== null, 'the thread is up');
    return thread;
  }

  #onThread(name: string): ReturnType<ConstructorParameters<typeof Roster>[0]['thread']> {
    const thread = this.#threads.named(name);
    return thread === null ? null : { index: thread.index, host: thread.kernel };
  }
}

/** Runs `body` once per seed. A failure names its seed. */
export async function forEachSeed(
  seeds: { readonly first: number; readonly count: number },
  body: (seed: number) => Promise<void>,
): Promise<void> {
  for (let seed = seeds.first; seed < seeds.first + seeds.count; seed += 1) {
    try {
      await body(seed);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`seed=${seed}: ${text}`, { cause: error });
    }
  }
}
