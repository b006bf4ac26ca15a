/**
 * WorkerHandle: one life of one worker thread, seen from the main thread. A thread that is started
 * again gets a new handle.
 */
import { Worker, type ResourceLimits } from 'node:worker_threads';
import { Failure, type FailureData } from '../../base/failure.ts';
import { type ChildSpec } from '../actor.ts';
import { type Host } from '../kernel/control.ts';
import { ControlPort, type Handlers } from '../kernel/control-port.ts';
import { type KernelStats } from '../kernel/kernel.ts';
import { type WorkerInit } from './worker-init.ts';

export interface ThreadStats extends KernelStats {
  readonly heap_bytes: number;
}

export interface WorkerStart {
  readonly init: WorkerInit;
  readonly entry: URL;
  readonly resourceLimits: ResourceLimits;
  readonly handlers: Handlers;
  /** Called once, when the thread has ended, wanted or not; with the uncaught error that ended it. */
  readonly onExit: (error: Error | null) => void;
}

export class WorkerHandle implements Host {
  readonly name: string;
  readonly index: number;
  readonly #worker: Worker;
  readonly #port: ControlPort;
  #alive = true;
  #uncaught: Error | null = null;
  /** Settles when the thread can start actors, or has ended before it could. */
  readonly ready: Promise<void>;

  constructor({ init, entry, resourceLimits, handlers, onExit }: WorkerStart) {
    this.name = init.thread;
    this.index = init.threadIndex;
    // Node strips types itself, so a worker needs no loader of its parent's.
    const { thread: name } = init;
    this.#worker = new Worker(entry, { name, workerData: init, resourceLimits, execArgv: [] });
    this.#port = new ControlPort(this.#worker);
    this.#worker.on('error', (error: unknown) => {
      this.#uncaught = error instanceof Error ? error : new Error(String(error));
    });
    this.ready = new Promise((resolve, reject) => {
      this.#port.serve({ ...handlers, ready: resolve });
      this.#worker.once('exit', () => {
        this.#alive = false;
        this.#port.close(new Failure('thread_died', { thread: this.name }));
        reject(this.#startFailure());
        onExit(this.#uncaught);
      });
    });
    this.ready.catch(() => undefined); // whoever waits hears it; when nobody does, onExit tells
  }

  get alive(): boolean {
    return this.#alive;
  }

  async start(parent: string, child: ChildSpec): Promise<void> {
    await this.#port.call('start', parent, child);
  }

  async stop(path: string): Promise<void> {
    await this.#port.call('stop', path);
  }

  fail(path: string, failure: FailureData): void {
    this.#port.notify('fail', path, failure);
  }

  notify(method: string, ...args: unknown[]): void {
    this.#port.notify(method, ...args);
  }

  async stats(): Promise<ThreadStats> {
    return (await this.#port.call('stats')) as ThreadStats;
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #startFailure(): Failure {
    const error = this.#uncaught === null ? null : this.#uncaught.message;
    return new Failure('thread_start_failed', { thread: this.name, error });
  }
}
