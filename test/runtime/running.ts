/**
 * A runtime for one test: its log is kept, and it is stopped however the test ends.
 */
import { type ResourceLimits } from 'node:worker_threads';
import { type LogEntry } from '../../src/io/log.ts';
import { type ActorRef, type ChildSpec } from '../../src/runtime/actor.ts';
import { startRuntime, type Runtime, type RuntimeSettings } from '../../src/runtime/runtime.ts';
import { type Trace } from '../../src/runtime/trace.ts';
import { type CounterMessage } from './registry.ts';

export interface Running {
  readonly runtime: Runtime;
  readonly logged: readonly LogEntry[];
  /** Resolves with the first entry of that text, past or future. */
  readonly logs: (text: string) => Promise<LogEntry>;
}

export interface RunningOptions {
  readonly threads?: readonly string[];
  readonly settings?: Partial<RuntimeSettings>;
  readonly resourceLimits?: ResourceLimits;
  readonly trace?: Trace;
}

export const limits = { timeout_ms: 10_000 } as const;

export async function withRuntime(
  { threads = [], settings = {}, resourceLimits = {}, trace }: RunningOptions,
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const logged: LogEntry[] = [];
  const listeners = new Set<(entry: LogEntry) => void>();
  const runtime = await startRuntime({
    behaviors: new URL('./registry.ts', import.meta.url),
    threads: threads.map((name) => ({ name, resourceLimits })),
    ...(trace === undefined ? {} : { trace }),
    settings,
    log: (entry) => {
      logged.push(entry);
      for (const listener of listeners) listener(entry);
    },
  });
  function logs(text: string): Promise<LogEntry> {
    return new Promise((resolve) => {
      function look(entry: LogEntry): void {
        if (entry.text === text) resolve(entry);
      }
      listeners.add(look);
      logged.forEach(look);
    });
  }
  try {
    await body({ runtime, logged, logs });
  } finally {
    await runtime.stop();
  }
}

interface CounterPlace {
  readonly name: string;
  readonly thread?: string | null;
  readonly lives?: SharedArrayBuffer | null;
  readonly child?: ChildSpec | null;
  readonly significant?: true;
}

export function counterSpec(place: CounterPlace): ChildSpec {
  const { name, thread = null, lives = null, child = null } = place;
  const spec = { behavior: 'counter', name, thread, options: { first: 0, lives, child } };
  return place.significant === undefined ? spec : { ...spec, significant: true };
}

export async function spawnCounter(
  { runtime }: Running,
  place: CounterPlace,
): Promise<ActorRef<CounterMessage>> {
  const { path } = await runtime.spawn(counterSpec(place));
  return runtime.ref<CounterMessage>(path);
}

/** Starts, stops and releases counted by counters that share this memory. */
export function newLives(): SharedArrayBuffer {
  return new SharedArrayBuffer(16);
}

/** Waits until counters have started this many times in all. */
export async function startsReach(lives: SharedArrayBuffer, starts: number): Promise<void> {
  const counts = new Int32Array(lives);
  // waitAsync holds no event loop open.
  const hold = setInterval(() => undefined, 1_000);
  try {
    for (let now = Atomics.load(counts, 0); now < starts; now = Atomics.load(counts, 0)) {
      const changed = Atomics.waitAsync(counts, 0, now);
      if (changed.async) await changed.value;
    }
  } finally {
    clearInterval(hold);
  }
}

const passing = new Set(['actor_missing', 'thread_died', 'peer_unreachable']);

/** Asks until the actor is there again. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { code = '' } = error as { readonly code?: string };
      if (!passing.has(code)) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
