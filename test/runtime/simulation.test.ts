/**
 * The simulator: a seed decides everything, and finds what depends on order.
 */
import { deepEqual, equal, notDeepEqual, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfTheEventLoop } from 'node:timers/promises';
import {
  defineActor,
  type Ask,
  type Behaviors,
  type Context,
  type Tell,
} from '../../src/runtime/actor.ts';
import { forEachSeed, Simulation } from '../../src/runtime/simulation.ts';
import { behaviors as counters, type CounterMessage } from './registry.ts';
import { counterSpec, limits } from './running.ts';

interface Read extends Ask<'read', number> {
  readonly kind: 'read';
}
interface Write extends Ask<'write', null> {
  readonly value: number;
}
type RegisterMessage = Read | Write;

/** One number. */
const register = defineActor<RegisterMessage, { value: number }, null>({
  name: 'register',
  mailboxMax: 16,
  restart: 'permanent',
  start: () => ({ value: 0 }),
  receive: (context, state, message) => {
    if (message.kind === 'read') {
      context.answer(message, state.value);
      return;
    }
    state.value = message.value;
    context.answer(message, null);
  },
  stop: () => undefined,
});

interface Increment extends Ask<'increment', null> {
  readonly kind: 'increment';
}

/** Adds one to the register, with a bug: another may write between its read and its write. */
const incrementer = defineActor<Increment, null, null>({
  name: 'incrementer',
  mailboxMax: 16,
  restart: 'permanent',
  start: () => null,
  receive: async (context, _state, message) => {
    const place = context.ref<RegisterMessage>('register/r');
    const value = (await context.ask(place, { kind: 'read' }, limits)) + 1;
    await context.ask(place, { kind: 'write', value }, limits);
    context.answer(message, null);
  },
  stop: () => undefined,
});

type Ticked = Tell<'ticked'>;
interface Count extends Ask<'count', number> {
  readonly kind: 'count';
}

/** Ticks every second, drawing a random number each time. */
const ticker = defineActor<Ticked | Count, { ticks: number }, null>({
  name: 'ticker',
  mailboxMax: 16,
  restart: 'permanent',
  start: (context) => {
    tickLater(context);
    return { ticks: 0 };
  },
  receive: (context, state, message) => {
    if (message.kind === 'count') {
      context.answer(message, state.ticks);
      return;
    }
    state.ticks += 1;
    tickLater(context);
  },
  stop: () => undefined,
});

function tickLater(context: Context<Ticked | Count>): void {
  context.after(1_000, { kind: 'ticked' });
}

const behaviors: Behaviors = { ...counters, register, incrementer, ticker };

const apart = { a: 'wal', b: 'storage' } as const;
const together = { a: 'main', b: 'main' } as const;

/** Two incrementers at once: what the register says afterwards. */
async function incrementTwice(
  seed: number,
  threads: { readonly a: string; readonly b: string } = apart,
): Promise<{ total: number; trace: readonly string[] }> {
  const simulation = new Simulation({ seed, behaviors, threads: ['wal', 'storage'] });
  const options = null;
  await simulation.spawn({ behavior: 'register', name: 'r', options, thread: 'main' });
  await simulation.spawn({ behavior: 'incrementer', name: 'a', options, thread: threads.a });
  await simulation.spawn({ behavior: 'incrementer', name: 'b', options, thread: threads.b });

  await Promise.all(
    ['incrementer/a', 'incrementer/b'].map((path) =>
      simulation.ask(simulation.ref<Increment>(path), { kind: 'increment' }, limits),
    ),
  );

  const place = simulation.ref<RegisterMessage>('register/r');
  const total = await simulation.ask(place, { kind: 'read' }, limits);
  const trace = simulation.trace.map((event) => JSON.stringify(event));
  await simulation.stop();
  return { total, trace };
}

async function simulated(seed: number): Promise<Simulation> {
  const simulation = new Simulation({ seed, behaviors, threads: ['wal', 'storage'] });
  await simulation.spawn(counterSpec({ name: 'a', thread: 'wal' }));
  return simulation;
}

const add = { kind: 'add', amount: 1 } as const;

for (const [where, threads] of [
  ['on threads of their own', apart],
  ['on one thread', together],
] as const) {
  test(`simulation: the same seed gives the same trace to actors ${where}`, async () => {
    await forEachSeed({ first: 1, count: 10 }, async (seed) => {
      deepEqual(await incrementTwice(seed, threads), await incrementTwice(seed, threads));
    });
  });

  test(`simulation: some seed shows a lost update of actors ${where}, some hides it`, async () => {
    const totals = new Set<number>();

    await forEachSeed({ first: 1, count: 40 }, async (seed) => {
      totals.add((await incrementTwice(seed, threads)).total);
    });

    deepEqual([...totals].sort(), [1, 2]);
  });
}

test('simulation: another seed gives another order', async () => {
  const [one, two] = [await incrementTwice(1), await incrementTwice(2)];

  notDeepEqual(one.trace, two.trace);
});

test('simulation: an hour passes without an hour passing', async () => {
  const simulation = new Simulation({ seed: 1, behaviors });
  await simulation.spawn({ behavior: 'ticker', name: 't', options: null, thread: null });

  await simulation.runFor(3_600_500);

  const place = simulation.ref<Ticked | Count>('ticker/t');
  equal(await simulation.ask(place, { kind: 'count' }, limits), 3_600);
});

test('simulation: who waits for little does not wait for who waits for much', async () => {
  const simulation = new Simulation({ seed: 1, behaviors });

  const little = simulation.runFor(10);
  const much = simulation.runFor(1_000);
  await little;
  const passed_ms = simulation.now_ms;
  await much;

  equal(passed_ms, 10);
});

test('simulation: a crash cancels the timers of the incarnation that set them', async () => {
  const simulation = new Simulation({ seed: 1, behaviors });
  await simulation.spawn({ behavior: 'ticker', name: 't', options: null, thread: null });

  await simulation.runFor(500);
  simulation.crashActor('ticker/t');
  await simulation.runFor(10_900);

  const place = simulation.ref<Ticked | Count>('ticker/t');
  equal(await simulation.ask(place, { kind: 'count' }, limits), 10);
});

test('simulation: an ask nobody answers expires in virtual time', async () => {
  const simulation = await simulated(1);
  const counter = simulation.ref<CounterMessage>('counter/a');

  await rejects(simulation.ask(counter, { kind: 'hold' }, { timeout_ms: 60_000 }), {
    code: 'ask_timed_out',
  });

  ok(simulation.now_ms >= 60_000 && simulation.now_ms < 61_000);
});

test('simulation: a crashed thread fails what was asked of it and brings its actors back', async () => {
  await forEachSeed({ first: 1, count: 20 }, async (seed) => {
    const simulation = await simulated(seed);
    const counter = simulation.ref<CounterMessage>('counter/a');
    await simulation.ask(counter, add, limits);
    const held = rejects(simulation.ask(counter, { kind: 'hold' }, limits), {
      code: 'thread_died',
    });

    await simulation.crashThread('wal', 50);
    await held;

    equal(await simulation.ask(counter, add, limits), 1);
  });
});

test('simulation: a grandchild on a dead thread is brought back once, by its parent', async () => {
  const simulation = new Simulation({ seed: 1, behaviors, threads: ['wal', 'storage'] });
  const grandchild = counterSpec({ name: 'grandchild', thread: 'wal' });
  const child = counterSpec({ name: 'child', thread: 'storage', child: grandchild });
  await simulation.spawn(counterSpec({ name: 'parent', thread: 'wal', child }));
  const before = simulation.trace.length;

  await simulation.crashThread('wal');
  await simulation.runFor(1_000);

  const events = simulation.trace.slice(before).map(({ what, to }) => `${what} ${to}`);
  deepEqual(events, [
    'end counter/child',
    'start counter/parent',
    'start counter/child',
    'start counter/grandchild',
  ]);
});

test('simulation: a crashed actor starts afresh', async () => {
  const simulation = await simulated(1);
  const counter = simulation.ref<CounterMessage>('counter/a');
  await simulation.ask(counter, add, limits);

  ok(simulation.crashActor('counter/a'));

  equal(await simulation.ask(counter, add, limits), 1);
});

test('simulation: a paused thread answers when its pause is over', async () => {
  const simulation = await simulated(1);
  const counter = simulation.ref<CounterMessage>('counter/a');

  simulation.pauseThread('wal', 5_000);
  await simulation.ask(counter, add, limits);

  ok(simulation.now_ms >= 5_000);
});

test('simulation: messages between two threads stay in order on every seed', async () => {
  await forEachSeed({ first: 1, count: 20 }, async (seed) => {
    const simulation = await simulated(seed);
    const counter = simulation.ref<CounterMessage>('counter/a');

    const totals = await Promise.all(
      [1, 2, 4, 8].map((amount) => simulation.ask(counter, { kind: 'add', amount }, limits)),
    );

    deepEqual(totals, [1, 3, 7, 15]);
  });
});

test('simulation: a pause delays messages and keeps their order', async () => {
  await forEachSeed({ first: 1, count: 20 }, async (seed) => {
    const simulation = await simulated(seed);
    const counter = simulation.ref<CounterMessage>('counter/a');
    simulation.pauseThread('wal', 500);

    const totals = await Promise.all(
      [1, 2, 4, 8].map((amount) => simulation.ask(counter, { kind: 'add', amount }, limits)),
    );

    deepEqual(totals, [1, 3, 7, 15]);
  });
});

test('simulation: tells are lost as often as asked for', async () => {
  const simulation = new Simulation({ seed: 1, behaviors, threads: ['wal'], tellLoss_oneIn: 2 });
  await simulation.spawn(counterSpec({ name: 'a', thread: 'wal' }));
  const counter = simulation.ref<CounterMessage>('counter/a');

  for (let sent = 0; sent < 50; sent += 1) simulation.tell(counter, { kind: 'added', amount: 1 });
  const arrived = await simulation.ask(counter, { kind: 'add', amount: 0 }, limits);

  ok(arrived > 10 && arrived < 40, `arrived=${arrived}`);
});

test('simulation: after its end nothing happens any more', async () => {
  const simulation = await simulated(1);
  const late: string[] = [];
  void simulation.runFor(10).then(() => late.push('passed'));

  simulation.end();
  const { steps } = simulation;
  for (let turn = 0; turn < 20; turn += 1) await turnOfTheEventLoop();

  deepEqual([late, simulation.steps - steps], [[], 0]);
});

test('simulation: an actor at the top that gives up is reported', async () => {
  const simulation = await simulated(1);
  const counter = simulation.ref<CounterMessage>('counter/a');

  for (let crash = 0; crash < 4; crash += 1) simulation.tell(counter, { kind: 'throw' });
  await simulation.runFor(1_000);

  equal(simulation.failure?.code, 'actor_restarts_exhausted');
});

test('simulation: a failing seed is named', async () => {
  const failing = forEachSeed({ first: 5, count: 3 }, (seed) =>
    seed === 6 ? Promise.reject(new Error('lost')) : Promise.resolve(),
  );

  await rejects(failing, /^Error: seed=6: lost$/);
});
