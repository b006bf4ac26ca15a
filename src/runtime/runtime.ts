/**
 * Runtime: the main thread's kernel, its worker threads, and the roster over all of them.
 *
 * Owns:    the threads' lives: start, watch, end, start again.
 * Promise: a dead or hung thread is noticed, its pending asks fail, and its actors come back; when
 *          one at the top cannot come back, everything is stopped and `ended` says why.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ResourceLimits } from 'node:worker_threads';
import { systemClock } from '../io/clock.ts';
import { type LogEntry, type LogSink } from '../io/log.ts';
import { systemRandom } from '../io/random.ts';
import { Failure } from '../base/failure.ts';
import {
  type ActorRef,
  type AnyMessage,
  type AskLimits,
  type Behaviors,
  type ChildSpec,
  type RestartIntensity,
  type ResultOf,
} from './actor.ts';
import { type Handlers } from './kernel/control-port.ts';
import { createDirectory, SharedDirectory } from './threads/directory.ts';
import { Heartbeats, type Hang, type HeartbeatLimits } from './threads/heartbeats.ts';
import { Kernel, type Directory } from './kernel/kernel.ts';
import { type PeersOptions, type PeerWorld } from './peers/peer-world.ts';
import { connectPeers, type Peers } from './peers/peers.ts';
import { createPulse, Pulse } from './threads/pulse.ts';
import { RestartHistory } from './kernel/restart-history.ts';
import { createRing } from './threads/ring.ts';
import { RingTransport, type RingPair } from './threads/ring-transport.ts';
import { Roster, type RosterThread } from './kernel/roster.ts';
import { EventLoopScheduler } from './kernel/scheduler.ts';
import { type Trace, type TraceEvent } from './trace.ts';
import { WorkerHandle, type ThreadStats } from './threads/worker-handle.ts';

export interface ThreadSpec {
  readonly name: string;
  /** Its own registry module, when it should not load everyone's. */
  readonly behaviors?: URL;
  readonly resourceLimits?: ResourceLimits;
}

export interface RuntimeSettings extends HeartbeatLimits {
  /** Of each ring between two threads; a power of two. */
  readonly ring_bytes: number;
  /** Actors alive at once, all threads together. */
  readonly actorsMax: number;
  readonly stopTimeout_ms: number;
  readonly threadIntensity: RestartIntensity;
}

const runtimeDefaults: RuntimeSettings = {
  ring_bytes: 2 ** 21,
  actorsMax: 16_384,
  stopTimeout_ms: 10_000,
  heartbeat_ms: 100,
  hangReport_ms: 2_000,
  hangKill_ms: 30_000,
  threadIntensity: { maxRestarts: 5, window_ms: 60_000, firstDelay_ms: 10, maxDelay_ms: 2_000 },
};

export interface RuntimeOptions {
  /** A module that exports `behaviors: Behaviors`; every thread loads it for itself. */
  readonly behaviors: URL;
  /** Worker threads. The main thread is there anyway, under the name `main`. */
  readonly threads: readonly ThreadSpec[];
  readonly log: LogSink;
  readonly settings?: Partial<RuntimeSettings>;
  readonly trace?: Trace;
  /** Entry of worker threads, where a bundle has moved it. */
  readonly workerEntry?: URL;
  /** Other hosts, whose actors are addressed by `<host>:<path>`. */
  readonly peers?: PeersOptions;
}

interface ThreadSlot {
  readonly spec: ThreadSpec;
  readonly history: RestartHistory;
  handle: WorkerHandle | null;
  /** While the thread has died and is not back. */
  restarting: Promise<void> | null;
}

const mainIndex = 0;

/** Starts the threads; the actors come by `spawn`. Fails when a thread cannot start. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { behaviors } = (await import(options.behaviors.href)) as { readonly behaviors: Behaviors };
  const runtime = new Runtime(options, behaviors);
  try {
    await runtime.startThreads();
  } catch (error) {
    await runtime.stop();
    throw error;
  }
  return runtime;
}

export class Runtime {
  /** Resolves when the runtime has stopped: with null when it was asked to, else with the reason. */
  readonly ended: Promise<Failure | null>;
  readonly #options: RuntimeOptions;
  readonly #settings: RuntimeSettings;
  readonly #kernel: Kernel;
  readonly #roster: Roster;
  readonly #transport: RingTransport;
  readonly #pulseMemory: SharedArrayBuffer;
  readonly #directoryMemory;
  readonly #heartbeats: Heartbeats;
  readonly #slots: readonly ThreadSlot[];
  readonly #looking: NodeJS.Timeout;
  #peers: Peers | null = null;
  #resolveEnded: (failure: Failure | null) => void = () => undefined;
  #stopping: Promise<void> | null = null;
  #failure: Failure | null = null;

  constructor(options: RuntimeOptions, behaviors: Behaviors) {
    this.#options = options;
    this.#settings = { ...runtimeDefaults, ...options.settings };
    this.#pulseMemory = createPulse(options.threads.length + 1);
    this.#directoryMemory = createDirectory(this.#settings.actorsMax);
    const pulse = new Pulse(this.#pulseMemory);
    const directory = new SharedDirectory(this.#directoryMemory);
    this.#transport = new RingTransport(mainIndex, pulse);
    this.#slots = options.threads.map((spec) => this.#slotOf(spec));
    this.#roster = new Roster({
      thread: (name) => this.#threadNamed(name),
      knows: (name) => name === 'main' || this.#slots.some(({ spec }) => spec.name === name),
      publish: (path, thread) => {
        directory.publish(path, thread);
      },
      withdraw: (path) => {
        directory.withdraw(path);
      },
      failed: (failure) => {
        this.#fail(failure);
      },
    });
    this.#kernel = this.#mainKernel(behaviors, directory);
    this.#heartbeats = new Heartbeats(pulse, this.#settings);
    this.#looking = setInterval(() => {
      this.#look();
    }, this.#heartbeats.look_ms);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Faults for tests: what chaos does to a running system. */
  readonly faults = {
    /** Crashes the actor as a bug in it would. */
    killActor: (path: string): boolean => this.#roster.kill(path),
    /** Paths of all actors, in start order. */
    actors: (): readonly string[] => this.#roster.paths,
    /** Ends the thread at once. Resolves when it is gone. */
    killThread: async (name: string): Promise<void> => {
      await this.#handleNamed(name).terminate();
    },
    /** The thread stops turning its event loop, for ever. */
    hangThread: (name: string): void => {
      this.#handleNamed(name).notify('hang');
    },
    /** The thread ends itself, as `process.exit` inside it would. */
    exitThread: (name: string): void => {
      this.#handleNamed(name).notify('exit');
    },
  } as const;

  ref<Message extends AnyMessage>(path: string): ActorRef<Message> {
    return { path };
  }

  tell<Message extends AnyMessage>(to: ActorRef<Message>, message: Message): void {
    this.#kernel.tell('', to.path, message);
  }

  ask<Other extends AnyMessage, Kind extends Other['kind']>(
    to: ActorRef<Other>,
    message: NoInfer<Other> & { readonly kind: Kind },
    limits: AskLimits,
  ): Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>> {
    const answer = this.#kernel.ask('', to.path, message, limits);
    // The result's type is the protocol's claim; the answering side is checked by `answer`.
    return answer as Promise<ResultOf<Extract<Other, { readonly kind: Kind }>>>;
  }

  /** Starts an actor at the top of the tree, on `main` when its thread is null. */
  async spawn(child: ChildSpec): Promise<ActorRef<AnyMessage>> {
    if (this.#stopping !== null) throw new Failure('runtime_stopped', {});
    await this.#roster.spawn('', child);
    return { path: `${child.behavior}/${child.name}` };
  }

  async stopActor(path: string): Promise<void> {
    await this.#roster.stop(path);
  }

  async stats(): Promise<readonly ThreadStats[]> {
    const main = { ...this.#kernel.stats(), heap_bytes: process.memoryUsage().heapUsed };
    return [main, ...(await Promise.all(this.#handles().map((handle) => handle.stats())))];
  }

  /** Stops every actor, last started first, then the threads. */
  stop(): Promise<void> {
    this.#stopping ??= this.#runStop();
    return this.#stopping;
  }

  /** Only for `startRuntime`. */
  async startThreads(): Promise<void> {
    for (const slot of this.#slots) await this.#startThread(slot);
    this.#transport.listen((thread, frame) => {
      this.#kernel.onFrame(thread, frame);
    });
  }

  async #runStop(): Promise<void> {
    await this.#roster.stopAll();
    clearInterval(this.#looking);
    this.#transport.close();
    this.#peers?.close();
    await Promise.all(this.#slots.map(({ restarting }) => restarting ?? Promise.resolve()));
    await Promise.all(this.#handles().map((handle) => handle.terminate()));
    this.#kernel.close();
    this.#resolveEnded(this.#failure);
  }

  #fail(failure: Failure): void {
    if (this.#stopping !== null) return;
    this.#failure = failure;
    this.#log('error', 'runtime failed', { failure: failure.message });
    void this.stop();
  }

  #slotOf(spec: ThreadSpec): ThreadSlot {
    const history = new RestartHistory(this.#settings.threadIntensity);
    return { spec, history, handle: null, restarting: null };
  }

  #mainKernel(behaviors: Behaviors, within: Directory): Kernel {
    const log: PeerWorld['log'] = (level, source, text, values) => {
      const time_ms = systemClock.now_ms();
      this.#options.log({ time_ms, level, thread: 'main', source, text, values });
    };
    const { peers: options, trace = null } = this.#options;
    const own = { directory: within, transport: this.#transport };
    if (options !== undefined) this.#peers = connectPeers(options, own, log, () => this.#kernel);
    return new Kernel({
      thread: 'main',
      threadIndex: mainIndex,
      hostName: options?.self.host ?? null,
      behaviors,
      scheduler: new EventLoopScheduler(),
      clock: systemClock,
      random: systemRandom,
      directory: this.#peers ?? own.directory,
      transport: this.#peers ?? own.transport,
      control: this.#roster,
      stopTimeout_ms: this.#settings.stopTimeout_ms,
      log,
      trace,
    });
  }

  #threadNamed(name: string): RosterThread | null {
    if (name === 'main') return { index: mainIndex, host: this.#kernel };
    const handle = this.#slots.find(({ spec }) => spec.name === name)?.handle;
    return handle?.alive === true ? { index: handle.index, host: handle } : null;
  }

  #handles(): readonly WorkerHandle[] {
    return this.#slots.flatMap(({ handle }) => (handle === null ? [] : [handle]));
  }

  #handleNamed(name: string): WorkerHandle {
    const handle = this.#slots.find(({ spec }) => spec.name === name)?.handle;
    if (handle == null) throw new Failure('thread_unknown', { thread: name });
    return handle;
  }

  async #startThread(slot: ThreadSlot): Promise<void> {
    const index = this.#slots.indexOf(slot) + 1;
    const { spec } = slot;
    const handle = new WorkerHandle({
      init: {
        thread: spec.name,
        threadIndex: index,
        behaviors: (spec.behaviors ?? this.#options.behaviors).href,
        pulse: this.#pulseMemory,
        directory: this.#directoryMemory,
        rings: this.#connectPeers(index),
        heartbeat_ms: this.#settings.heartbeat_ms,
        stopTimeout_ms: this.#settings.stopTimeout_ms,
        traced: this.#options.trace !== undefined,
        peers: this.#options.peers ?? null,
      },
      entry: this.#options.workerEntry ?? new URL('./threads/worker-thread.ts', import.meta.url),
      resourceLimits: spec.resourceLimits ?? {},
      handlers: this.#handlers(),
      onExit: (error) => {
        this.#threadEnded(slot, error);
      },
    });
    await handle.ready;
    slot.handle = handle;
    this.#heartbeats.watch(index);
  }

  /** Rings between the new thread and all others alive; they get their ends, its own are returned. */
  #connectPeers(index: number): RingPair[] {
    const { ring_bytes } = this.#settings;
    const connect = (other: number): RingPair => {
      const [inbound, outbound] = [createRing(ring_bytes), createRing(ring_bytes)];
      const theirs: RingPair = { thread: index, inbound: outbound, outbound: inbound };
      if (other === mainIndex) this.#transport.connect(theirs);
      else this.#slots[other - 1]!.handle?.notify('connect', theirs);
      return { thread: other, inbound, outbound };
    };
    return [mainIndex, ...this.#handles().map((handle) => handle.index)].map(connect);
  }

  #threadEnded(slot: ThreadSlot, error: Error | null): void {
    const { name } = slot.spec;
    const index = this.#slots.indexOf(slot) + 1;
    const started = slot.handle !== null;
    this.#heartbeats.unwatch(index);
    slot.handle = null;
    if (this.#stopping !== null || !started) return; // wanted, or startThread tells
    this.#log('error', 'thread died', { thread: name, error: error?.stack ?? null });
    this.#transport.disconnect(index);
    this.#kernel.onThreadDied(index, name);
    for (const handle of this.#handles()) handle.notify('threadDied', index, name);
    slot.restarting = this.#recover(slot).finally(() => {
      slot.restarting = null;
    });
  }

  async #recover(slot: ThreadSlot): Promise<void> {
    const lost = await this.#roster.clearThread(slot.spec.name);
    if (await this.#restartThread(slot)) await this.#roster.respawn(lost);
  }

  /** False when the thread will not come back. */
  async #restartThread(slot: ThreadSlot): Promise<boolean> {
    const thread = slot.spec.name;
    for (;;) {
      const delay_ms = slot.history.next_ms(systemClock.monotonic_ms());
      if (delay_ms === null) this.#fail(new Failure('thread_died', { thread, restarted: false }));
      if (delay_ms === null || this.#stopping !== null) return false;
      await sleep(delay_ms);
      try {
        await this.#startThread(slot);
        return true;
      } catch (error) {
        this.#log('error', 'thread start failed', { thread, error: String(error) });
      }
    }
  }

  #look(): void {
    for (const hang of this.#heartbeats.look()) this.#onHang(hang);
  }

  #onHang({ thread, silent_ms, kill }: Hang): void {
    const slot = this.#slots[thread - 1]!;
    this.#log('error', 'thread hangs', { thread: slot.spec.name, silent_ms, kill });
    if (kill) void slot.handle?.terminate();
  }

  /** What workers ask of the main thread. */
  #handlers(): Handlers {
    const roster = this.#roster;
    return {
      register: (thread: string, path: string, parent: string) =>
        roster.register(thread, path, parent),
      spawn: (parent: string, child: ChildSpec) => roster.spawn(parent, child),
      stop: (path: string) => roster.stop(path),
      gone: roster.gone.bind(roster),
      log: (entry: LogEntry) => {
        this.#options.log(entry);
      },
      trace: (event: TraceEvent) => {
        this.#options.trace?.(event);
      },
    };
  }

  #log(level: 'error', text: string, values: LogEntry['values']): void {
    const time_ms = systemClock.now_ms();
    this.#options.log({ time_ms, level, thread: 'main', source: 'runtime', text, values });
  }
}
