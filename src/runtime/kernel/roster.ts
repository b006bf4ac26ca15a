/**
 * Roster: who lives where, and who is whose child. One per runtime, on the main thread, which alone
 * writes the directory.
 *
 * Promise: a path lives at most once; children are stopped before their parent's thread is given
 *          up for them; after a thread's death, actors whose parent lives elsewhere (or who have none)
 *          are started again in their first order with their original options. Their descendants
 *          on the thread are not: their parent's `start` does that, as after any crash.
 */
import {
  ensure,
  Failure,
  failureFromData,
  failureToData,
  type FailureData,
} from '../../base/failure.ts';
import { type ChildSpec } from '../actor.ts';
import { type Control, type Host } from './control.ts';
import { portsIn } from './control-port.ts';
import { asFailure, checkPath, pathOf } from './kernel.ts';

export interface RosterThread {
  readonly index: number;
  readonly host: Host;
}

export interface RosterWorld {
  /** Null while the thread is down. */
  readonly thread: (name: string) => RosterThread | null;
  readonly knows: (name: string) => boolean;
  readonly publish: (path: string, thread: number) => void;
  readonly withdraw: (path: string) => void;
  /** An actor without a parent gave up. */
  readonly failed: (failure: Failure) => void;
}

interface Entry {
  readonly path: string;
  readonly parent: string;
  readonly thread: string;
  /** What to start again after its thread's death; null for an actor started by its own thread. */
  readonly spec: ChildSpec | null;
}

export class Roster implements Control {
  readonly #world: RosterWorld;
  /** In start order. */
  readonly #entries = new Map<string, Entry>();
  /** Actors of a dead thread that are to be started again, and that nobody has stopped meanwhile. */
  readonly #lost = new Set<string>();

  constructor(world: RosterWorld) {
    this.#world = world;
  }

  get paths(): string[] {
    return [...this.#entries.keys()];
  }

  threadNameOf(path: string): string | null {
    return this.#entries.get(path)?.thread ?? null;
  }

  register(thread: string, path: string, parent: string): Promise<void> {
    try {
      this.#claim({ path, parent, thread, spec: null });
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(asFailure(error));
    }
  }

  async spawn(parent: string, child: ChildSpec): Promise<void> {
    checkPath(child);
    const thread = child.thread ?? 'main';
    this.#claim({ path: pathOf(child), parent, thread, spec: child });
    await this.#start(parent, child, thread);
  }

  async stop(path: string): Promise<void> {
    this.#lost.delete(path);
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    try {
      await this.#world.thread(entry.thread)?.host.stop(path);
    } catch (error) {
      // A thread that is gone has taken the actor with it.
      if (!(error instanceof Failure) || error.code !== 'thread_died') throw error;
    }
    this.#forget(path);
  }

  gone(path: string, failure: FailureData | null): void {
    const entry = this.#entries.get(path);
    this.#forget(path);
    if (entry !== undefined && failure !== null) this.#escalate(entry, failure);
  }

  /** Crashes an actor, as a bug in it would. False when nobody lives at the path. */
  kill(path: string): boolean {
    const entry = this.#entries.get(path);
    if (entry === undefined) return false;
    const killed = failureToData(new Failure('actor_crashed', { path, killed: true }));
    this.#world.thread(entry.thread)?.host.fail(path, killed);
    return true;
  }

  /** Stops every actor, last started first. */
  async stopAll(): Promise<void> {
    for (const entry of [...this.#entries.values()].reverse())
      if (entry.parent === '') await this.stop(entry.path);
  }

  /**
   * The thread is gone and so are its actors. Stops their children on other threads and returns the
   * entries to start again once the thread is back.
   */
  async clearThread(thread: string): Promise<readonly ChildSpecOf[]> {
    const lost = [...this.#entries.values()].filter((entry) => entry.thread === thread);
    const lostPaths = new Set(lost.map((entry) => entry.path));
    const orphans = this.#descendantsElsewhere(lostPaths, thread);
    for (const path of lostPaths) this.#forget(path);
    for (const orphan of orphans.reverse()) await this.stop(orphan.path);
    const again = lost.flatMap(({ path, parent, spec }) =>
      spec !== null && this.#isAlive(parent) ? [{ path, parent, spec }] : [],
    );
    for (const { path } of again) this.#lost.add(path);
    return again;
  }

  /** Starts them again, in order. One that cannot start, or is significant, crashes its parent. */
  async respawn(lost: readonly ChildSpecOf[]): Promise<void> {
    for (const { path, parent, spec } of lost) {
      if (!this.#lost.delete(path)) continue; // its parent has stopped it, or started it anew
      try {
        ensure(spec.significant !== true, 'thread_died', { thread: spec.thread });
        ensure(portsIn(spec.options).length === 0, 'actor_not_respawnable', { path });
        await this.spawn(parent, spec);
      } catch (error) {
        const failure = failureToData(asFailure(error));
        this.#escalate({ path, parent, thread: spec.thread ?? 'main', spec }, failure);
      }
    }
  }

  #claim(entry: Entry): void {
    const { path, thread } = entry;
    ensure(this.#world.knows(thread), 'thread_unknown', { thread });
    ensure(!this.#entries.has(path), 'actor_exists', { path });
    const alive = this.#world.thread(thread);
    ensure(alive !== null, 'thread_died', { thread });
    this.#lost.delete(path);
    this.#world.publish(path, alive.index);
    this.#entries.set(path, entry);
  }

  async #start(parent: string, child: ChildSpec, thread: string): Promise<void> {
    const path = pathOf(child);
    try {
      const alive = this.#world.thread(thread);
      ensure(alive !== null, 'thread_died', { thread });
      await alive.host.start(parent, child);
    } catch (error) {
      this.#forget(path);
      throw error;
    }
  }

  #forget(path: string): void {
    if (this.#entries.delete(path)) this.#world.withdraw(path);
  }

  #escalate({ path, parent, thread }: Entry, failure: FailureData): void {
    if (parent === '') {
      this.#world.failed(failureFromData(failure));
      return;
    }
    const above = this.#entries.get(parent);
    if (above === undefined) return; // the parent is gone, or will be started with its thread
    this.#world.thread(above.thread)?.host.fail(parent, {
      ...failure,
      values: { ...failure.values, child: path, childThread: thread },
    });
  }

  #descendantsElsewhere(ancestors: ReadonlySet<string>, thread: string): Entry[] {
    const below = new Set(ancestors);
    const found: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (!below.has(entry.parent)) continue; // parents come before their children
      below.add(entry.path);
      if (entry.thread !== thread) found.push(entry);
    }
    return found;
  }

  /** Neither lost with the thread nor stopped as an orphan. */
  #isAlive(parent: string): boolean {
    return parent === '' || this.#entries.has(parent);
  }
}

/** An actor to start again. */
export interface ChildSpecOf {
  readonly path: string;
  readonly parent: string;
  readonly spec: ChildSpec;
}
