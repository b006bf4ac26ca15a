/**
 * Pool: CPU-heavy pure work on threads of its own: merges, compression, building images.
 *
 * Lazy: a thread is started when work comes and ends when it has been idle for a while, since each
 * costs about 10 MB. Bounded: beyond `waitingMax` tasks are refused with `mailbox_full`.
 */
import { FixedQueue, Piscina } from 'piscina';
import { Failure, failureFromData } from '../base/failure.ts';
import { type PoolOutcome, type PoolTask } from './threads/pool-thread.ts';

/** What a task module exports as `tasks`: pure functions over plain data. */
export type PoolTasks = Readonly<Record<string, (data: never) => unknown>>;

export interface PoolOptions {
  /** A module that exports `tasks`. */
  readonly tasks: URL;
  readonly threadsMax: number;
  readonly waitingMax: number;
  /** How long a thread without work is kept. */
  readonly idle_ms: number;
  /** Entry of the pool's threads, where a bundle has moved it. */
  readonly workerEntry?: URL;
}

type DataOf<Task> = Task extends (data: infer Data) => unknown ? Data : never;
type ResultOf<Task> = Task extends (data: never) => infer Result ? Awaited<Result> : never;

export class Pool<Tasks extends PoolTasks> {
  readonly #piscina: Piscina<PoolTask, PoolOutcome>;
  readonly #module: string;

  constructor({ tasks, threadsMax, waitingMax, idle_ms, workerEntry }: PoolOptions) {
    this.#module = tasks.href;
    this.#piscina = new Piscina({
      filename: (workerEntry ?? new URL('./threads/pool-thread.ts', import.meta.url)).href,
      name: 'runTask',
      minThreads: 0,
      maxThreads: threadsMax,
      maxQueue: waitingMax,
      idleTimeout: idle_ms,
      taskQueue: new FixedQueue(),
      execArgv: [],
    });
  }

  /** Threads alive now. */
  get threads(): number {
    return this.#piscina.threads.length;
  }

  /**
   * Runs a task by its name. `data` is copied. Fails with the task's own failure; `mailbox_full` when
   * too many wait; `thread_died` when its thread did.
   */
  async run<Name extends keyof Tasks & string>(
    name: Name,
    data: DataOf<Tasks[Name]>,
  ): Promise<ResultOf<Tasks[Name]>> {
    const outcome = await this.#send({ module: this.#module, name, data });
    if (outcome.failure !== null) throw failureFromData(outcome.failure);
    return outcome.result as ResultOf<Tasks[Name]>;
  }

  /** Ends the threads; tasks under way fail. */
  async close(): Promise<void> {
    await this.#piscina.destroy();
  }

  async #send(task: PoolTask): Promise<PoolOutcome> {
    try {
      return await this.#piscina.run(task);
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      if (message === 'Task queue is at limit' || message.startsWith('No task queue'))
        throw new Failure('mailbox_full', { task: task.name }, error);
      if (code?.startsWith('ERR_WORKER') === true || message.startsWith('worker exited'))
        throw new Failure('thread_died', { task: task.name, error: message }, error);
      throw error; // a bug in the task
    }
  }
}
