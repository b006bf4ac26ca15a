/**
 * The runtime across worker threads: messages through rings, and threads that die or hang.
 */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { startRuntime } from '../../src/runtime/runtime.ts';
import { type TraceEvent } from '../../src/runtime/trace.ts';
import { type CounterMessage } from './registry.ts';
import {
  answered,
  counterSpec,
  limits,
  newLives,
  spawnCounter,
  startsReach,
  withRuntime,
} from './running.ts';

const add = { kind: 'add', amount: 1 } as const;

test('threads: an ask crosses to a worker and back', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    equal(await running.runtime.ask(counter, { kind: 'add', amount: 3 }, limits), 3);
  });
});

test('threads: an actor on one worker asks an actor on another', async () => {
  await withRuntime({ threads: ['wal', 'storage'] }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    await spawnCounter(running, { name: 'b', thread: 'storage' });

    const relayed = { kind: 'relay', path: 'counter/b', amount: 4 } as const;

    equal(await running.runtime.ask(counter, relayed, limits), 4);
  });
});

test('threads: bytes larger than a ring, LSNs and null arrive as they were sent', async () => {
  await withRuntime({ threads: ['wal'], settings: { ring_bytes: 65_536 } }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    const bytes = Uint8Array.from({ length: 1_048_579 }, (_, at) => at % 251);
    const echo = { kind: 'echo', bytes, lsn: 2 ** 52 + 1 } as const;

    const answer = await running.runtime.ask(counter, echo, limits);

    deepEqual(answer, { bytes, lsn: 2 ** 52 + 1, nothing: null });
  });
});

test('threads: many asks at once through a small ring are all answered, in order', async () => {
  await withRuntime({ threads: ['wal'], settings: { ring_bytes: 4_096 } }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    const bytes = new Uint8Array(3_000);
    const lsns = Array.from({ length: 60 }, (_, lsn) => lsn);

    const answers = await Promise.all(
      lsns.map((lsn) => running.runtime.ask(counter, { kind: 'echo', bytes, lsn }, limits)),
    );

    deepEqual(
      answers.map(({ lsn }) => lsn),
      lsns,
    );
  });
});

test('threads: a tell that finds the ring full is dropped and counted', async () => {
  await withRuntime({ threads: ['wal'], settings: { ring_bytes: 4_096 } }, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    const echo = { kind: 'echo', bytes: new Uint8Array(20_000), lsn: 0 } as const;

    runtime.tell(counter, echo);

    equal((await runtime.stats())[0]?.tells_dropped, 1);
  });
});

test('threads: a failure keeps its code and values', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    await rejects(running.runtime.ask(counter, { kind: 'refuse' }, limits), {
      name: 'Failure',
      code: 'mailbox_full',
      kind: 'unavailable',
      values: { why: 'asked to' },
    });
  });
});

test('threads: shared memory in the options reaches the actor', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const lives = newLives();

    await spawnCounter(running, { name: 'a', thread: 'wal', lives });

    equal(new Int32Array(lives)[0], 1);
  });
});

test('threads: a child on another thread is stopped with its parent', async () => {
  await withRuntime({ threads: ['wal', 'storage'] }, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    const child = counterSpec({ name: 'child', thread: 'storage', lives });
    await spawnCounter(running, { name: 'parent', child, thread: 'wal' });

    await runtime.stopActor('counter/parent');

    equal(new Int32Array(lives)[1], 1);
  });
});

test('threads: a child on another thread that gives up crashes its parent', async () => {
  await withRuntime({ threads: ['wal', 'storage'] }, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    const child = counterSpec({ name: 'child', thread: 'storage' });
    const parent = await spawnCounter(running, { name: 'parent', child, thread: 'wal', lives });

    for (let crash = 0; crash < 4; crash += 1)
      runtime.tell(runtime.ref<CounterMessage>('counter/child'), { kind: 'throw' });
    await startsReach(lives, 2);

    equal(await runtime.ask(parent, add, limits), 1);
  });
});

for (const [how, kill] of [
  ['is terminated', 'killThread'],
  ['calls process.exit', 'exitThread'],
] as const)
  test(`threads: a thread that ${how} fails what was asked of it and brings its actors back`, async () => {
    await withRuntime({ threads: ['wal'] }, async (running) => {
      const { runtime } = running;
      const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
      await runtime.ask(counter, add, limits);
      const held = runtime.ask(counter, { kind: 'hold' }, limits);

      const failed = rejects(held, { code: 'thread_died' });
      await runtime.faults[kill]('wal');
      await failed;

      equal(await answered(() => runtime.ask(counter, add, limits)), 1);
    });
  });

test('threads: an uncaught error ends the thread only, and is logged with its stack', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const { runtime, logs } = running;
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    runtime.tell(counter, { kind: 'die' });
    const entry = await logs('thread died');

    equal(String(entry.values['error']).split('\n')[0], 'Error: uncaught');
    equal(await answered(() => runtime.ask(counter, add, limits)), 1);
  });
});

test('threads: what another worker asked of a dead thread fails', async () => {
  await withRuntime({ threads: ['wal', 'storage'] }, async (running) => {
    const { runtime } = running;
    const asker = await spawnCounter(running, { name: 'asker', thread: 'storage' });
    const asked = await spawnCounter(running, { name: 'asked', thread: 'wal' });
    const neighbours = [
      await spawnCounter(running, { name: 'asker-neighbour', thread: 'storage' }),
      await spawnCounter(running, { name: 'asked-neighbour', thread: 'wal' }),
    ];

    runtime.tell(asked, { kind: 'stall' });
    await runtime.ask(neighbours[1]!, add, limits); // so it has arrived
    const relay = { kind: 'relay', path: asked.path, amount: 1 } as const;
    const failed = rejects(runtime.ask(asker, relay, limits), { code: 'thread_died' });
    await runtime.ask(neighbours[0]!, add, limits); // so it has asked
    await runtime.faults.killThread('wal');

    await failed;
  });
});

test('threads: after a thread’s death its actors’ children elsewhere are stopped', async () => {
  await withRuntime({ threads: ['wal', 'storage'] }, async (running) => {
    const { runtime } = running;
    const [parents, children] = [newLives(), newLives()];
    const child = counterSpec({ name: 'child', thread: 'storage', lives: children });
    await spawnCounter(running, { name: 'parent', child, thread: 'wal', lives: parents });

    await runtime.faults.killThread('wal');
    await startsReach(parents, 2);

    equal(new Int32Array(children)[1], 1);
  });
});

test('threads: a thread that hangs is reported, ended and started again', async () => {
  const settings = { heartbeat_ms: 20, hangReport_ms: 400, hangKill_ms: 800 };
  await withRuntime({ threads: ['wal'], settings }, async (running) => {
    const { runtime, logs } = running;
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    runtime.faults.hangThread('wal');
    const report = await logs('thread hangs');
    await logs('thread died');

    equal(report.values['kill'], false);
    equal(await answered(() => runtime.ask(counter, add, limits)), 1);
  });
});

test('threads: a thread that dies beyond its intensity ends the runtime', async () => {
  const threadIntensity = { maxRestarts: 1, window_ms: 60_000, firstDelay_ms: 1, maxDelay_ms: 1 };
  await withRuntime({ threads: ['wal'], settings: { threadIntensity } }, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    await spawnCounter(running, { name: 'a', thread: 'wal', lives });

    await runtime.faults.killThread('wal');
    await startsReach(lives, 2);
    await runtime.faults.killThread('wal');

    equal((await runtime.ended)?.code, 'thread_died');
  });
});

test('threads: an actor whose options held a port cannot be brought back, and says so', async () => {
  await withRuntime({ threads: ['wal'] }, async ({ runtime }) => {
    const { port1, port2 } = new MessageChannel();
    const { options } = counterSpec({ name: 'a' });
    const withPort = { ...(options as object), port: port1 };
    await runtime.spawn({ behavior: 'counter', name: 'a', thread: 'wal', options: withPort });

    await runtime.faults.killThread('wal');

    equal((await runtime.ended)?.code, 'actor_not_respawnable');
    port2.close();
  });
});

test('threads: the trace tells who sent what on which thread', async () => {
  const trace: TraceEvent[] = [];
  await withRuntime({ threads: ['wal'], trace: (event) => trace.push(event) }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    await running.runtime.ask(counter, add, limits);
    await running.runtime.stats(); // what the worker traced before has arrived with its answer

    deepEqual(
      trace.map(({ what, thread, to, detail }) => ({ what, thread, to, detail })),
      [
        { what: 'start', thread: 'wal', to: 'counter/a', detail: '' },
        { what: 'ask', thread: 'main', to: 'counter/a', detail: 'add' },
        { what: 'receive', thread: 'wal', to: 'counter/a', detail: 'add' },
      ],
    );
  });
});

test('threads: a thread out of memory ends alone, and its actors come back', async () => {
  const resourceLimits = { maxOldGenerationSizeMb: 32 };
  await withRuntime({ threads: ['wal'], resourceLimits }, async (running) => {
    const { runtime, logs } = running;
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    runtime.tell(counter, { kind: 'swell' });
    const entry = await logs('thread died');

    match(String(entry.values['error']), /ERR_WORKER_OUT_OF_MEMORY/);
    equal(await answered(() => runtime.ask(counter, add, limits)), 1);
  });
});

test('threads: an ask that is open when the runtime stops fails, and so does a later one', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });

    const open = runtime.ask(counter, { kind: 'hold' }, { timeout_ms: 600_000 });
    const failed = rejects(open, { name: 'Failure' });
    await runtime.stop();

    await failed;
    await rejects(runtime.ask(counter, add, limits), { code: 'runtime_stopped' });
  });
});

test('threads: a thread whose registry does not load fails the start', async () => {
  const behaviors = new URL('./registry.ts', import.meta.url);
  const missing = new URL('./no-registry.ts', import.meta.url);
  const threads = [{ name: 'wal', behaviors: missing }];

  const started = startRuntime({ behaviors, threads, log: () => undefined });

  await rejects(started, { code: 'thread_start_failed' });
});

test('threads: a message that holds shared memory is refused where it is sent', async () => {
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', thread: 'wal' });
    const child = counterSpec({ name: 'b', lives: newLives() });

    const asked = running.runtime.ask(counter, { kind: 'spawnChild', child }, limits);

    await rejects(asked, /plain data, without a SharedArrayBuffer/);
  });
});

test('threads: the end of a significant child with its thread is a crash of its parent', async () => {
  const lives = newLives();
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const child = counterSpec({ name: 'child', thread: 'wal', lives, significant: true });
    await spawnCounter(running, { name: 'parent', lives, child });

    await running.runtime.faults.killThread('wal');
    await startsReach(lives, 4);

    equal(running.logged.filter(({ source }) => source === 'counter/parent').length, 1);
  });
});

test('threads: a child stopped while its thread is down does not come back with the thread', async () => {
  const lives = newLives();
  await withRuntime({ threads: ['wal'] }, async (running) => {
    const { runtime } = running;
    const child = await spawnCounter(running, { name: 'child', thread: 'wal' });
    await spawnCounter(running, { name: 'other', thread: 'wal', lives });

    const killed = runtime.faults.killThread('wal');
    await running.logs('thread died');
    await runtime.stopActor(child.path);
    await killed;
    await startsReach(lives, 2);

    await rejects(runtime.ask(child, add, limits), { code: 'actor_missing' });
  });
});
