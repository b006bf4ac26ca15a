/**
 * SimulatedThreads: the threads of a simulation and what is between them: reliable order within a
 * host, a network between hosts.
 *
 * Owns:    a kernel and a lane per thread that is up, and the frames on their way.
 * Promise: whoever a dead thread still owed an answer gets none from its successor: every start of a
 *          thread has an index of its own, as every connection between processes is a new one.
 * Never:   decides what the network does to a frame: that is the `Network`'s.
 */
import { assert } from '../base/assert.ts';
import { SeededRandom } from '../io/random.ts';
import { type Behaviors, type Clock } from './actor.ts';
import { type Control } from './kernel/control.ts';
import { packFrame, unpackFrame, type Frame } from './kernel/frame.ts';
import { Kernel, type Directory, type KernelWorld, type Transport } from './kernel/kernel.ts';
import { type Scheduler } from './kernel/scheduler.ts';
import { type SeededLane, type SeededScheduler } from './kernel/seeded-scheduler.ts';

/** Threads that share a process, a clock and a fate. */
export interface SimulatedHost {
  readonly name: string;
  readonly threads: readonly string[];
  /** Milliseconds that its clocks count in one of the world's. */
  readonly clockRate: number;
}

/** What is between hosts. */
export interface Network {
  /**
   * A passage for every copy of a frame that is to arrive; none: it is lost. `kind` is the message's, null
   * for an answer.
   */
  carry(from: string, to: string, kind: string | null): readonly Passage[];
  /** Whether `from` hears at once that nobody at `to` takes its message; else it hears nothing. */
  refuses(from: string, to: string): boolean;
}

export interface Passage {
  readonly delay_ms: number;
  /** Asked when the time has come. */
  arrives(): boolean;
}

export interface ThreadsWorld {
  readonly scheduler: SeededScheduler;
  readonly random: SeededRandom;
  readonly behaviors: Behaviors;
  readonly control: Control;
  readonly hosts: readonly SimulatedHost[];
  readonly network: Network | null;
  /** Longest time a message takes between threads of one host. */
  readonly hopMax_ms: number;
  /** One in so many tells between threads of one host finds the ring full; null for none. */
  readonly tellLoss_oneIn: number | null;
  readonly log: KernelWorld['log'];
  readonly trace: KernelWorld['trace'];
}

export interface SimulatedThread {
  readonly name: string;
  readonly index: number;
  /** null: beside every host, with no network between. */
  readonly host: string | null;
  readonly lane: SeededLane;
  readonly kernel: Kernel;
}

const epoch_ms = 1_700_000_000_000;
/** Between messages of the same pair of threads, so that they stay in order. */
const least_ms = 1e-6;
const stopTimeout_ms = 10_000;

export class SimulatedThreads {
  readonly #world: ThreadsWorld;
  readonly #hostOf = new Map<string, SimulatedHost>();
  readonly #byName = new Map<string, SimulatedThread>();
  readonly #byIndex = new Map<number, SimulatedThread>();
  /** Thread name of every index ever given out. */
  readonly #names: string[] = [];
  readonly #places = new Map<string, number>();
  /** Where a path lived last: other hosts send there, whether or not it lives now. */
  readonly #homes = new Map<string, string>();
  /** When the last message from one thread to another arrives, by both indexes. */
  readonly #lastArrival_ms = new Map<string, number>();
  /** What was added to a host's wall clock. */
  readonly #clockJumps_ms = new Map<string, number>();

  constructor(world: ThreadsWorld) {
    this.#world = world;
    for (const host of world.hosts)
      for (const thread of host.threads) this.#hostOf.set(thread, host);
  }

  named(name: string): SimulatedThread | null {
    return this.#byName.get(name) ?? null;
  }

  start(name: string): void {
    assert(!this.#byName.has(name), 'a thread that is up is not started');
    const { scheduler, random, behaviors, control, log, trace } = this.#world;
    const index = this.#names.push(name) - 1;
    const lane = scheduler.openLane();
    const host = this.#hostOf.get(name) ?? null;
    const kernel = new Kernel({
      thread: name,
      threadIndex: index,
      hostName: null,
      behaviors,
      scheduler: host === null ? lane : paced(lane, host.clockRate),
      clock: this.clockOf(host?.name ?? null),
      random: new SeededRandom(random.uint32()),
      directory: this.#directoryOf(host),
      transport: this.#transportOf(index),
      control,
      stopTimeout_ms,
      log,
      trace,
    });
    const thread = { name, index, host: host?.name ?? null, lane, kernel };
    this.#byName.set(name, thread);
    this.#byIndex.set(index, thread);
  }

  /** The thread dies with its actors. Its host hears of it, other hosts as far as the network lets. */
  kill({ name, index, host, lane, kernel }: SimulatedThread): void {
    kernel.abandon();
    lane.close();
    this.#byName.delete(name);
    this.#byIndex.delete(index);
    for (const other of this.#byName.values())
      if (this.#hears(other.host, host)) other.kernel.onThreadDied(index, name);
  }

  /** `host` takes its connection with `other` for lost: what it asked there fails. */
  loseContact(host: string, other: string): void {
    const [near, far] = [this.#on(host), this.#on(other)];
    for (const { kernel } of near)
      for (const { index, name } of far) kernel.onThreadDied(index, name);
  }

  publish(path: string, index: number): void {
    this.#places.set(path, index);
    this.#homes.set(path, this.#names[index]!);
  }

  withdraw(path: string): void {
    this.#places.delete(path);
  }

  /** The clock of a host; the world's for null. */
  clockOf(host: string | null): Clock {
    const { scheduler, hosts } = this.#world;
    const rate = hosts.find(({ name }) => name === host)?.clockRate ?? 1;
    const jumps = this.#clockJumps_ms;
    return {
      now_ms: () => epoch_ms + Math.floor(scheduler.now_ms * rate) + (jumps.get(host ?? '') ?? 0),
      monotonic_ms: () => scheduler.now_ms * rate,
    };
  }

  jumpClock(host: string, by_ms: number): void {
    this.#clockJumps_ms.set(host, (this.#clockJumps_ms.get(host) ?? 0) + by_ms);
  }

  #on(host: string): readonly SimulatedThread[] {
    return [...this.#byName.values()].filter((thread) => thread.host === host);
  }

  #directoryOf(host: SimulatedHost | null): Directory {
    return {
      threadOf: (path) => {
        const index = this.#places.get(path);
        if (index !== undefined) return index;
        const home = this.#homes.get(path);
        // Whether somebody lives there is known on the host itself only.
        if (home === undefined || !this.#isApart(host?.name ?? null, this.#hostNamed(home)))
          return null;
        return this.#byName.get(home)?.index ?? this.#names.lastIndexOf(home);
      },
    };
  }

  #transportOf(from: number): Transport {
    return {
      send: (to, frame, waits) => {
        const target = this.#byIndex.get(to);
        const [here, there] = [this.#hostAt(from), this.#hostAt(to)];
        const apart = this.#isApart(here, there);
        if (target === undefined) return apart && !this.#hears(here, there);
        if (apart) {
          this.#sendFar(from, target, frame);
          return true;
        }
        const { random, tellLoss_oneIn: loss } = this.#world;
        if (waits === null && frame[0] === 0 && loss !== null && random.oneIn(loss)) return false;
        this.#sendNear(from, target, frame);
        return true;
      },
    };
  }

  #sendNear(from: number, target: SimulatedThread, frame: Frame): void {
    const { random, hopMax_ms, scheduler } = this.#world;
    const pair = `${from}>${target.index}`;
    const hop_ms = (random.below(1_000) / 1_000) * hopMax_ms;
    const earliest_ms = (this.#lastArrival_ms.get(pair) ?? 0) + least_ms;
    const arrival_ms = Math.max(scheduler.now_ms + hop_ms, earliest_ms);
    this.#lastArrival_ms.set(pair, arrival_ms);
    // Packed and unpacked as between real threads, so that what would not survive does not here.
    const bytes = packFrame(frame).slice();
    target.lane.after(arrival_ms - scheduler.now_ms, () => {
      target.kernel.onFrame(from, unpackFrame(bytes));
    });
  }

  #sendFar(from: number, target: SimulatedThread, frame: Frame): void {
    const { network } = this.#world;
    const passages = network!.carry(this.#hostAt(from)!, target.host!, kindOf(frame));
    if (passages.length === 0) return;
    const bytes = packFrame(frame).slice();
    for (const passage of passages)
      target.lane.after(passage.delay_ms, () => {
        if (passage.arrives()) target.kernel.onFrame(from, unpackFrame(bytes));
      });
  }

  #hostAt(index: number): string | null {
    return this.#hostNamed(this.#names[index]!);
  }

  #hostNamed(thread: string): string | null {
    return this.#hostOf.get(thread)?.name ?? null;
  }

  #isApart(here: string | null, there: string | null): boolean {
    return this.#world.network !== null && here !== null && there !== null && here !== there;
  }

  /** Whether `here` learns at once that a thread of `there` is gone. */
  #hears(here: string | null, there: string | null): boolean {
    return !this.#isApart(here, there) || this.#world.network!.refuses(here!, there!);
  }
}

/** A host's timers go by its own clock. */
function paced(lane: SeededLane, rate: number): Scheduler {
  return {
    ready: (task) => {
      lane.ready(task);
    },
    after: (delay_ms, action) => lane.after(delay_ms / rate, action),
  };
}

/** The kind of the message in a frame; null when there is none. */
function kindOf(frame: Frame): string | null {
  if (frame[0] === 0) return frame[3].kind;
  return frame[0] === 1 ? frame[4].kind : null;
}
