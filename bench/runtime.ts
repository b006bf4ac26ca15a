/**
 * What does a message cost? Asks within a thread and across, and bytes through a ring.
 *
 * `node bench/runtime.ts [rounds]`
 */
import { defineActor, type Ask, type Behaviors } from '../src/runtime/actor.ts';
import { startRuntime, type Runtime } from '../src/runtime/runtime.ts';

interface Ping extends Ask<'ping', Uint8Array | null> {
  readonly bytes: Uint8Array | null;
}

const echo = defineActor<Ping, null, null>({
  name: 'echo',
  mailboxMax: 4_096,
  restart: 'permanent',
  start: () => null,
  receive: (context, _state, message) => {
    context.answer(message, message.bytes);
  },
  stop: () => undefined,
});

/** Every thread of the benchmark loads this module as its registry. */
export const behaviors: Behaviors = { echo };

export interface Measured {
  readonly what: string;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly perSecond: number;
}

const limits = { timeout_ms: 60_000 } as const;

export async function measureRuntime(rounds: number): Promise<readonly Measured[]> {
  const runtime = await startRuntime({
    behaviors: new URL(import.meta.url),
    threads: [{ name: 'other' }],
    log: () => undefined,
  });
  try {
    for (const thread of ['main', 'other'])
      await runtime.spawn({ behavior: 'echo', name: thread, options: null, thread });
    return [
      await measure(runtime, {
        what: 'ask, same thread',
        to: 'main',
        rounds,
        atOnce: 1,
        bytes: null,
      }),
      await measure(runtime, { what: 'ask, across', to: 'other', rounds, atOnce: 1, bytes: null }),
      await measure(runtime, {
        what: '64 asks, same thread',
        to: 'main',
        rounds,
        atOnce: 64,
        bytes: null,
      }),
      await measure(runtime, {
        what: '64 asks, across',
        to: 'other',
        rounds,
        atOnce: 64,
        bytes: null,
      }),
      await measure(runtime, {
        what: '8 KiB there and back, 32 at once',
        to: 'other',
        rounds,
        atOnce: 32,
        bytes: new Uint8Array(8_192),
      }),
      await measure(runtime, {
        what: '1 MiB there and back',
        to: 'other',
        rounds: rounds / 100,
        atOnce: 1,
        bytes: new Uint8Array(2 ** 20),
      }),
    ];
  } finally {
    await runtime.stop();
  }
}

interface Load {
  readonly what: string;
  readonly to: string;
  readonly rounds: number;
  readonly atOnce: number;
  readonly bytes: Uint8Array | null;
}

async function measure(
  runtime: Runtime,
  { what, to, rounds, atOnce, bytes }: Load,
): Promise<Measured> {
  const echoThere = runtime.ref<Ping>(`echo/${to}`);
  const took_ms: number[] = [];
  const began_ms = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    const sent_ms = performance.now();
    const asks = Array.from({ length: atOnce }, () =>
      runtime.ask(echoThere, { kind: 'ping', bytes }, limits),
    );
    await Promise.all(asks);
    took_ms.push(performance.now() - sent_ms);
  }
  const all_ms = performance.now() - began_ms;
  took_ms.sort((a, b) => a - b);
  return {
    what,
    p50_us: took_ms[Math.floor(took_ms.length / 2)]! * 1_000,
    p99_us: took_ms[Math.floor(took_ms.length * 0.99)]! * 1_000,
    perSecond: Math.round((took_ms.length * atOnce * 1_000) / all_ms),
  };
}

// Not awaited here: the runtime imports this module, and would wait for it.
if (import.meta.main)
  void measureRuntime(Number(process.argv[2] ?? 5_000)).then((measured) => {
    console.table(measured);
  });
