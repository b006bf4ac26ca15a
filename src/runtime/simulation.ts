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
import { packFrame, unpackFrame, type Frame } from './kernel/frame.ts';
import { Kernel, type Directory, type Transport } from './kernel/kernel.ts';
import { Roster } from './kernel/roster.ts';
import { SeededScheduler, type SeededLane } from './kernel/seeded-scheduler.ts';
import { type TraceEvent } from './trace.ts';

export interface SimulationOptions {
  /** A whole number. Print it when something fails. */
  readonly seed: number;
  readonly behaviors: Behaviors;
  /** Simulated threads beside `main`. */
  readonly threads?: readonly string[];
  /** Longest time a message takes between threads. */
  readonly hopMax_ms?: number;
  /** One in so many tells between threads finds the ring full; null for none. */
  readonly tellLoss_oneIn?: number | null;
}

interface SimulatedThread {
  readonly name: string;
  readonly index: number;
  readonly lane: SeededLane;
  readonly kernel: Kernel;
}

const epoch_ms = 1_700_000_000_000;
/** Between messages of the same pair of threads, so that they stay in order. */
const least_ms = 1e-6;
const stopTimeout_ms = 10_000;

export class Simulation {
  readonly clock: Clock;
  /** For the world around the actors; the scheduler draws from its own. */
  readonly random: SeededRandom;
  readonly trace: TraceEvent[] = [];
  readonly logged: LogEntry[] = [];
  /** Why an actor at the top gave up, once one has. */
  failure: Failure | null = null;
  readonly #options: SimulationOptions;
  readonly #scheduler: SeededScheduler;
  readonly #chance: SeededRandom;
  readonly #roster: Roster;
  readonly #places = new Map<string, number>();
  readonly #threads: (SimulatedThread | null)[] = [];
  /** When the last message from one thread to another arrives, by both indexes. */
  readonly #lastArrival_ms = new Map<string, number>();
  #waiters = 0;
  /** Settles when nobody waits any more. */
  #pumping: Promise<void> | null = null;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed);
    this.#chance = new SeededRandom(options.seed + 1_000_003);
    this.#scheduler = new SeededScheduler(new SeededRandom(options.seed + 2_000_003));
    this.clock = {
      now_ms: () => epoch_ms + Math.floor(this.#scheduler.now_ms),
      monotonic_ms: () => this.#scheduler.now_ms,
    };
    this.#roster = new Roster({
      thread: (name) => this.#threadNamed(name),
      knows: (name) => this.#names().includes(name),
      publish: (path, thread) => this.#places.set(path, thread),
      withdraw: (path) => this.#places.delete(path),
      failed: (failure) => {
        this.failure = failure;
      },
    });
    for (const index of this.#names().keys()) this.#startThread(index);
  }

  get now_ms(): number {
    return this.#scheduler.now_ms;
  }

  ref<Message extends AnyMessage>(path: string): ActorRef<Message> {
    return { path };
  }

  tell<Message extends AnyMessage>(to: ActorRef<Message>, message: Message): void {
    this.#main.kernel.tell('', to.path, message);
  }

  ask<Other extends AnyMessage, Kind extends Other['kind']>(
    to: ActorRef<Other>,
    message: NoInfer<Other> & { readonly kind: Kind },
    limits: AskLimits,
  ): Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>> {
    const answer = this.run(this.#main.kernel.ask('', to.path, message, limits));
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

  /** Crashes an actor as a bug in it would. False when nobody lives at the path. */
  crashActor(path: string): boolean {
    return this.#roster.kill(path);
  }

  /** A thread dies with its actors, stays away for `down_ms`, and comes back as after a real death. */
  async crashThread(name: string, down_ms = 0): Promise<void> {
    const index = this.#names().indexOf(name);
    const thread = this.#threads[index];
    assert(thread != null && name !== 'main', 'a worker thread that is up crashes');
    thread.kernel.abandon();
    thread.lane.close();
    this.#threads[index] = null;
    for (const other of this.#threads) other?.kernel.onThreadDied(index, name);
    await this.run(this.#bringBack(index, down_ms));
  }

  /** The thread does nothing for a while, and does not know: as when its machine is paused. */
  pauseThread(name: string, pause_ms: number): void {
    const thread = this.#threads[this.#names().indexOf(name)];
    assert(thread != null, 'a thread that is up is paused');
    thread.lane.pauseUntil(this.now_ms + pause_ms);
  }

  /** For the simulated world: runs `action` when that much virtual time has passed. */
  after(delay_ms: number, action: () => void): Timer {
    return this.#main.lane.after(delay_ms, action);
  }

  /** Lets virtual time pass. */
  async runFor(duration_ms: number): Promise<void> {
    await this.run(
      new Promise<void>((resolve) => {
        this.after(duration_ms, resolve);
      }),
    );
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
        if (this.#waiters === 0) return;
        assert(this.#scheduler.step(), 'whoever waits in a simulation waits for something in it');
      }
    } finally {
      this.#pumping = null;
    }
  }

  async #bringBack(index: number, down_ms: number): Promise<void> {
    const name = this.#names()[index]!;
    const lost = await this.#roster.clearThread(name);
    await new Promise<void>((resolve) => {
      this.after(down_ms, resolve);
    });
    this.#startThread(index);
    await this.#roster.respawn(lost);
  }

  get #main(): SimulatedThread {
    return this.#threads[0]!;
  }

  #names(): readonly string[] {
    return ['main', ...(this.#options.threads ?? [])];
  }

  #threadNamed(name: string): { readonly index: number; readonly host: Kernel } | null {
    const thread = this.#threads[this.#names().indexOf(name)];
    return thread == null ? null : { index: thread.index, host: thread.kernel };
  }

  #startThread(index: number): void {
    const name = this.#names()[index]!;
    const lane = this.#scheduler.openLane();
    const directory: Directory = { threadOf: (path) => this.#places.get(path) ?? null };
    const kernel = new Kernel({
      thread: name,
      threadIndex: index,
      hostName: null,
      behaviors: this.#options.behaviors,
      scheduler: lane,
      clock: this.clock,
      random: new SeededRandom(this.#chance.uint32()),
      directory,
      transport: this.#transportOf(index),
      control: this.#roster,
      stopTimeout_ms,
      log: (level, source, text, values) => {
        const entry = { time_ms: this.clock.now_ms(), level, thread: name, source, text, values };
        this.logged.push(entry);
      },
      trace: (event) => this.trace.push(event),
    });
    this.#threads[index] = { name, index, lane, kernel };
  }

  #transportOf(from: number): Transport {
    return {
      send: (to, frame, waits) => {
        if (this.#threads[to] == null) return false;
        const loss = this.#options.tellLoss_oneIn ?? null;
        if (waits === null && frame[0] === 0 && loss !== null && this.#chance.oneIn(loss))
          return false;
        this.#sendFrame(from, to, frame);
        return true;
      },
    };
  }

  /** Packed and unpacked as between real threads, so that what would not survive does not here. */
  #sendFrame(from: number, to: number, frame: Frame): void {
    const pair = `${from}>${to}`;
    const hop_ms = (this.#chance.below(1_000) / 1_000) * (this.#options.hopMax_ms ?? 1);
    const earliest_ms = (this.#lastArrival_ms.get(pair) ?? 0) + least_ms;
    const arrival_ms = Math.max(this.now_ms + hop_ms, earliest_ms);
    this.#lastArrival_ms.set(pair, arrival_ms);
    const bytes = packFrame(frame).slice();
    const target = this.#threads[to]!;
    target.lane.after(arrival_ms - this.now_ms, () => {
      target.kernel.onFrame(from, unpackFrame(bytes));
    });
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
