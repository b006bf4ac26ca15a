/**
 * Mounted: a filesystem actor on a real mount, without the actor kernel: its messages are handled one
 * after the other by a small context.
 *
 * File operations on the mount must be asynchronous here, since this thread answers them.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Failure } from '../../../src/base/failure.ts';
import { lsnZero } from '../../../src/base/lsn.ts';
import { filesystem } from '../../../src/actors/filesystem/filesystem.ts';
import {
  type FilesystemMessage,
  type FilesystemOptions,
} from '../../../src/actors/filesystem/protocol.ts';
import { type AnyMessage, type Context, type ResultOf } from '../../../src/runtime/actor.ts';

export interface Mounted {
  readonly mountPoint: string;
  readonly folder: string;
  /** What the actor told others, and logged. */
  readonly told: readonly AnyMessage[];
  readonly logged: readonly string[];
  tell(message: FilesystemMessage): void;
  ask<Kind extends FilesystemMessage['kind']>(message: Of<Kind>): Promise<ResultOf<Of<Kind>>>;
  /** Stops the actor. Idempotent. */
  stop(): Promise<void>;
  /** Stops the actor and removes the folder. */
  remove(): Promise<void>;
}

const emptySnapshot = {
  floor: lsnZero,
  databases: [],
  relations: [],
  slruSegments: [],
  files: [],
};

const patternLower = new URL('./pattern-lower.ts', import.meta.url).href;

/** Mounts in a new temporary folder. */
export async function mounted(wanted: Partial<FilesystemOptions> = {}): Promise<Mounted> {
  const folder = await mkdtemp(join(tmpdir(), 'filesystem-'));
  const options: FilesystemOptions = {
    mountPoint: join(folder, 'mount'),
    scratchDirectory: join(folder, 'scratch'),
    uid: process.getuid!(),
    gid: process.getgid!(),
    snapshot: emptySnapshot,
    lower: { moduleUrl: patternLower, options: null },
    readers: 2,
    upperMax_bytes: 2 ** 30,
    upperTarget_bytes: 2 ** 30,
    readAhead_bytes: 1_048_576,
    owner: 'compute/test',
    ...wanted,
  };
  await mkdir(options.mountPoint);
  await mkdir(options.scratchDirectory);
  const kernel = new Kernel();
  try {
    await kernel.start(options);
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
  return {
    mountPoint: options.mountPoint,
    folder,
    told: kernel.told,
    logged: kernel.logged,
    tell: (message) => {
      kernel.deliver(message);
    },
    ask: (message) => kernel.ask(message),
    stop: () => kernel.stop(),
    remove: async () => {
      await kernel.stop();
      await rm(folder, { recursive: true });
    },
  };
}

type Of<Kind extends FilesystemMessage['kind']> = Extract<
  FilesystemMessage,
  { readonly kind: Kind }
>;

type State = Awaited<ReturnType<typeof filesystem.start>>;
type Settle = (result: unknown) => void;

class Kernel {
  readonly told: AnyMessage[] = [];
  readonly logged: string[] = [];
  readonly #answers = new Map<AnyMessage, Settle>();
  #state: State | null = null;
  #queue: Promise<void> = Promise.resolve();
  #failure: Error | null = null;
  readonly #releases: (() => Promise<void> | void)[] = [];

  async start(options: FilesystemOptions): Promise<void> {
    try {
      this.#state = await filesystem.start(this.#context, options);
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  deliver(message: FilesystemMessage): void {
    this.#queue = this.#queue.then(async () => {
      const state = this.#state;
      if (state === null) return;
      await this.#handle(state, message).catch((reason: unknown) => {
        this.#failure = new Error('the actor crashed', { cause: reason });
        this.#answers.get(message)?.(Promise.reject(this.#failure));
      });
    });
  }

  async #handle(state: State, message: FilesystemMessage): Promise<void> {
    await filesystem.receive(this.#context, state, message);
  }

  ask<Kind extends FilesystemMessage['kind']>(message: Of<Kind>): Promise<ResultOf<Of<Kind>>> {
    return new Promise((resolve) => {
      this.#answers.set(message, resolve as Settle);
      this.deliver(message);
    });
  }

  async stop(): Promise<void> {
    await this.#queue;
    const state = this.#state;
    this.#state = null;
    if (state !== null) await filesystem.stop(this.#context, state);
    await this.#release();
    if (this.#failure !== null) throw this.#failure;
  }

  async #release(): Promise<void> {
    for (const release of this.#releases.splice(0).toReversed()) await release();
  }

  readonly #context: Context<FilesystemMessage> = {
    self: { path: 'filesystem/test' },
    clock: { now_ms: () => Date.now(), monotonic_ms: () => performance.now() },
    random: { below: () => 0, bytes: (count) => new Uint8Array(count) },
    log: (level, text, values) => this.logged.push(`${level} ${text} ${JSON.stringify(values)}`),
    ref: (path) => ({ path }),
    tell: (to, message) => {
      if (to.path === 'filesystem/test') this.deliver(message as unknown as FilesystemMessage);
      else this.told.push(message);
    },
    ask: () => Promise.reject(new Error('a filesystem asks nobody')),
    answer: (asked, result) => {
      this.#answers.get(asked)?.(result);
    },
    onEndFirst: () => undefined,
    onEnd: (release) => {
      this.#releases.push(release);
    },
    refuse: (asked, failure: Failure) => {
      this.#answers.get(asked)?.(Promise.reject(failure));
    },
    after: (delay_ms, message) => {
      const timer = setTimeout(() => {
        this.deliver(message);
      }, delay_ms);
      return {
        cancel: () => {
          clearTimeout(timer);
        },
      };
    },
    spawn: () => Promise.reject(new Error('a filesystem has no children')),
    stop: () => Promise.resolve(),
  };
}
