/**
 * The kernel on one thread: asks, failures, crashes, supervision, stopping.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type TraceEvent } from '../../../src/runtime/trace.ts';
import { type CounterMessage } from '../registry.ts';
import {
  answered,
  counterSpec,
  limits,
  newLives,
  spawnCounter,
  startsReach,
  withRuntime,
} from '../running.ts';

test('kernel: an ask is answered by the actor at its path', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });

    equal(await running.runtime.ask(counter, { kind: 'add', amount: 3 }, limits), 3);
  });
});

test('kernel: messages of one sender arrive in order', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });

    const totals = await Promise.all(
      [1, 2, 4].map((amount) => running.runtime.ask(counter, { kind: 'add', amount }, limits)),
    );

    deepEqual(totals, [1, 3, 7]);
  });
});

test('kernel: an answer may come in the handling of a later message', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });
    const hold = { kind: 'hold' } as const; // one object, asked twice

    const held = [hold, hold].map((asked) => running.runtime.ask(counter, asked, limits));
    const count = await running.runtime.ask(counter, { kind: 'release' }, limits);

    deepEqual([count, ...(await Promise.all(held))], [2, 'released', 'released']);
  });
});

test('kernel: an ask nobody answers expires', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });

    const asked = running.runtime.ask(counter, { kind: 'hold' }, { timeout_ms: 20 });

    await rejects(asked, { code: 'ask_timed_out' });
  });
});

test('kernel: an ask to a path where nobody lives is refused', async () => {
  await withRuntime({}, async ({ runtime }) => {
    const nobody = runtime.ref<CounterMessage>('counter/nobody');

    await rejects(runtime.ask(nobody, { kind: 'add', amount: 1 }, limits), {
      code: 'actor_missing',
    });
  });
});

test('kernel: a full mailbox refuses asks', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });
    const asks = Array.from({ length: 65 }, () =>
      running.runtime.ask(counter, { kind: 'add', amount: 1 }, limits),
    );

    const outcomes = await Promise.allSettled(asks);

    // 64 wait; none is handled before the sender yields.
    deepEqual(
      outcomes.map(({ status }) => status),
      [...Array.from({ length: 64 }, () => 'fulfilled'), 'rejected'],
    );
  });
});

test('kernel: a full mailbox drops tells and counts them', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });
    for (let sent = 0; sent < 70; sent += 1)
      running.runtime.tell(counter, { kind: 'added', amount: 1 });

    const [stats] = await running.runtime.stats();

    equal(stats?.tells_dropped, 6);
  });
});

test('kernel: timers are counted until their actor is over', async () => {
  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a' });
    const later = { kind: 'addLater', amount: 1 } as const;
    for (let set = 0; set < 3; set += 1) await running.runtime.ask(counter, later, limits);
    const [before] = await running.runtime.stats();

    await rejects(running.runtime.ask(counter, { kind: 'crash' }, limits));
    await running.runtime.ask(counter, { kind: 'add', amount: 1 }, limits);
    const [after] = await running.runtime.stats();

    deepEqual([before?.timers, after?.timers], [3, 0]);
  });
});

test('kernel: a failure thrown by receive refuses the ask and the actor keeps its state', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    await runtime.ask(counter, { kind: 'add', amount: 5 }, limits);

    await rejects(runtime.ask(counter, { kind: 'refuse' }, limits), {
      code: 'mailbox_full',
      values: { why: 'asked to' },
    });

    equal(await runtime.ask(counter, { kind: 'add', amount: 1 }, limits), 6);
  });
});

test('kernel: a bug crashes the actor, refuses its asks and starts it afresh', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    await runtime.ask(counter, { kind: 'add', amount: 5 }, limits);
    const held = runtime.ask(counter, { kind: 'hold' }, limits);

    const crashed = runtime.ask(counter, { kind: 'crash' }, limits);

    await rejects(held, { code: 'actor_crashed' });
    await rejects(crashed, { code: 'actor_crashed' });
    equal(await runtime.ask(counter, { kind: 'add', amount: 1 }, limits), 1);
  });
});

test('kernel: what waits in the mailbox outlives a crash', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });

    runtime.tell(counter, { kind: 'throw' });
    const after = runtime.ask(counter, { kind: 'add', amount: 2 }, limits);

    equal(await after, 2);
  });
});

test('kernel: corruption halts the actor, which then refuses everything', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });

    await rejects(runtime.ask(counter, { kind: 'corrupt' }, limits), { code: 'page_full' });

    const add = runtime.ask(counter, { kind: 'add', amount: 1 }, limits);
    await rejects(add, { code: 'actor_halted' });
  });
});

test('kernel: corruption that another actor answers with halts nobody else', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const corrupt = await spawnCounter(running, { name: 'a' });
    const asker = await spawnCounter(running, { name: 'b' });
    await rejects(runtime.ask(corrupt, { kind: 'corrupt' }, limits));

    const relayed = runtime.ask(asker, { kind: 'relay', path: corrupt.path, amount: 1 }, limits);

    await rejects(relayed, { code: 'actor_halted' });
    equal(await runtime.ask(asker, { kind: 'add', amount: 1 }, limits), 1);
  });
});

test('kernel: a halted actor can be stopped and its path used again', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    await rejects(runtime.ask(counter, { kind: 'corrupt' }, limits));

    await runtime.stopActor(counter.path);
    await spawnCounter(running, { name: 'a' });

    equal(await runtime.ask(counter, { kind: 'add', amount: 1 }, limits), 1);
  });
});

test('kernel: an actor at the top that crashes beyond its intensity ends the runtime', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });

    for (let crash = 0; crash < 4; crash += 1) runtime.tell(counter, { kind: 'throw' });

    equal((await runtime.ended)?.code, 'actor_restarts_exhausted');
  });
});

test('kernel: a child that crashes beyond its intensity crashes its parent, which lives on', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    const parent = await spawnCounter(running, { name: 'parent', lives });
    await runtime.ask(
      parent,
      { kind: 'spawnChild', child: counterSpec({ name: 'child' }) },
      limits,
    );
    const child = runtime.ref<CounterMessage>('counter/child');

    for (let crash = 0; crash < 4; crash += 1) runtime.tell(child, { kind: 'throw' });
    await startsReach(lives, 2);

    equal(await runtime.ask(parent, { kind: 'add', amount: 1 }, limits), 1);
  });
});

test('kernel: a crash stops the children before the actor starts again', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    const child = counterSpec({ name: 'child', lives });
    const parent = await spawnCounter(running, { name: 'parent', child });

    await rejects(runtime.ask(parent, { kind: 'crash' }, limits));
    await runtime.ask(parent, { kind: 'add', amount: 1 }, limits);

    equal(new Int32Array(lives)[1], 1);
  });
});

test('kernel: stopping an actor stops its children first', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const lives = newLives();
    const child = counterSpec({ name: 'child', lives });
    await spawnCounter(running, { name: 'parent', child });

    await runtime.stopActor('counter/parent');

    equal(new Int32Array(lives)[1], 1);
    const gone = runtime.ask(runtime.ref('counter/child'), { kind: 'release' }, limits);
    await rejects(gone, { code: 'actor_missing' });
  });
});

test('kernel: a path lives at most once', async () => {
  await withRuntime({}, async (running) => {
    await spawnCounter(running, { name: 'a' });

    await rejects(spawnCounter(running, { name: 'a' }), { code: 'actor_exists' });
  });
});

test('kernel: an unknown behaviour is refused and leaves the path free', async () => {
  await withRuntime({}, async ({ runtime }) => {
    const child = { behavior: 'nobody', name: 'a', options: null, thread: null };

    await rejects(runtime.spawn(child), { code: 'behavior_unknown' });
    await rejects(runtime.spawn(child), { code: 'behavior_unknown' });
  });
});

test('kernel: a name that is no path is refused', async () => {
  await withRuntime({}, async (running) => {
    await rejects(spawnCounter(running, { name: 'with space' }), { code: 'actor_path_invalid' });
  });
});

test('kernel: stopping the runtime runs every actor’s stop', async () => {
  const lives = newLives();
  await withRuntime({}, async (running) => {
    await spawnCounter(running, { name: 'a', lives });
    await spawnCounter(running, { name: 'b', lives });
  });

  equal(new Int32Array(lives)[1], 2);
});

test('kernel: a killed actor starts afresh', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    await runtime.ask(counter, { kind: 'add', amount: 5 }, limits);

    ok(runtime.faults.killActor('counter/a'));

    const add = { kind: 'add', amount: 1 } as const;
    equal(await answered(() => runtime.ask(counter, add, limits)), 1);
  });
});

test('kernel: actors with full mailboxes take turns', async () => {
  const trace: TraceEvent[] = [];
  await withRuntime({ trace: (event) => trace.push(event) }, async (running) => {
    const { runtime } = running;
    const [a, b] = [
      await spawnCounter(running, { name: 'a' }),
      await spawnCounter(running, { name: 'b' }),
    ];

    for (const to of [a, a, a, b, b]) runtime.tell(to, { kind: 'added', amount: 1 });
    await runtime.ask(b, { kind: 'add', amount: 1 }, limits);

    const received = trace.filter(({ what }) => what === 'receive').map(({ to }) => to.at(-1));
    deepEqual(received, ['a', 'b', 'a', 'b', 'a', 'b']);
  });
});

test('kernel: an actor that does not finish its message is stopped all the same', async () => {
  await withRuntime({ settings: { stopTimeout_ms: 20 } }, async (running) => {
    const { runtime, logged } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    const other = await spawnCounter(running, { name: 'b' });
    runtime.tell(counter, { kind: 'stall' });
    await runtime.ask(other, { kind: 'release' }, limits); // a has had its turn

    await runtime.stopActor('counter/a');

    ok(logged.some(({ text }) => text === 'actor stop timed out'));
  });
});

test('kernel: an ask that expired in the mailbox is not handled', async () => {
  const trace: TraceEvent[] = [];
  await withRuntime({ trace: (event) => trace.push(event) }, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    runtime.tell(counter, { kind: 'stall' });

    await rejects(runtime.ask(counter, { kind: 'add', amount: 1 }, { timeout_ms: 10 }));
    runtime.faults.killActor('counter/a');
    await answered(() => runtime.ask(counter, { kind: 'release' }, limits));

    ok(!trace.some(({ what, detail }) => what === 'receive' && detail === 'add'));
  });
});

test('kernel: actors that keep waking each other leave the event loop its turns', async () => {
  await withRuntime({}, async (running) => {
    const { runtime } = running;
    const counter = await spawnCounter(running, { name: 'a' });
    const add = { kind: 'add', amount: 1 } as const;
    let turns = 0;
    function turn(): void {
      turns += 1;
      immediate = setImmediate(turn);
    }
    let immediate = setImmediate(turn);

    for (let sent = 0; sent < 5_000; sent += 1) await runtime.ask(counter, add, limits);
    clearImmediate(immediate);

    ok(turns >= 10, `turns=${turns}`);
  });
});

test('kernel: what outlives an incarnation is released before the next start, and at the stop', async () => {
  const lives = newLives();
  const counts = new Int32Array(lives);

  await withRuntime({}, async (running) => {
    const counter = await spawnCounter(running, { name: 'a', lives });
    running.runtime.tell(counter, { kind: 'throw' });
    await startsReach(lives, 2);

    const [, , released, releasedAtStart] = counts;
    deepEqual({ released, releasedAtStart }, { released: 1, releasedAtStart: 1 });
  });

  equal(counts[2], 2);
});

test('kernel: the crash of a significant child is a crash of its parent, which starts it anew', async () => {
  const lives = newLives();
  await withRuntime({}, async (running) => {
    const child = counterSpec({ name: 'child', lives, significant: true });
    await spawnCounter(running, { name: 'parent', lives, child });

    running.runtime.tell(running.runtime.ref<CounterMessage>('counter/child'), { kind: 'throw' });
    await startsReach(lives, 4);

    equal(running.logged.filter(({ source }) => source === 'counter/parent').length, 1);
  });
});
