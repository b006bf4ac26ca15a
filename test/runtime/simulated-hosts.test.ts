/**
 * Hosts in the simulator: what the network does to messages between them, their clocks, their deaths.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import {
  defineActor,
  type ActorRef,
  type Ask,
  type Behaviors,
  type Clock,
} from '../../src/runtime/actor.ts';
import { Simulation } from '../../src/runtime/simulation.ts';
import { type Network } from '../../src/runtime/simulated-threads.ts';
import { behaviors as counters, type CounterMessage } from './registry.ts';
import { counterSpec, limits } from './running.ts';

interface Look extends Ask<'look', { readonly wall_ms: number; readonly monotonic_ms: number }> {
  readonly kind: 'look';
}
interface Wait extends Ask<'wait', null> {
  readonly kind: 'wait';
}
type WatchMessage = Look | Wait | { readonly kind: 'waited'; readonly asked: Wait };

/** Looks at the clock, and waits a second by it. */
const watch = defineActor<WatchMessage, null, null>({
  name: 'watch',
  mailboxMax: 16,
  restart: 'permanent',
  start: () => null,
  receive: (context, _state, message) => {
    if (message.kind === 'look') context.answer(message, timesOf(context.clock));
    else if (message.kind === 'waited') context.answer(message.asked, null);
    else context.after(1_000, { kind: 'waited', asked: message });
  },
  stop: () => undefined,
});

function timesOf(clock: Clock): { readonly wall_ms: number; readonly monotonic_ms: number } {
  return { wall_ms: clock.now_ms(), monotonic_ms: clock.monotonic_ms() };
}

const behaviors: Behaviors = { ...counters, watch };

/** A network that does with each frame what the next of `delays` says, and then takes 1 ms. */
function scripted(
  delays: readonly (readonly number[])[],
  refusing = true,
): Network & { readonly carried: (string | null)[] } {
  const left = [...delays];
  const carried: (string | null)[] = [];
  return {
    carried,
    carry: (_from, _to, kind) => {
      carried.push(kind);
      return (left.shift() ?? [1]).map((delay_ms) => ({ delay_ms, arrives: () => true }));
    },
    refuses: () => refusing,
  };
}

/** Hosts `x` and `y`, a counter on each, `counter/x` and `counter/y`. */
async function twoHosts(network: Network | null, clockRate = 1): Promise<Simulation> {
  const hosts = [
    { name: 'x', threads: ['x.wal', 'x.storage'], clockRate: 1 },
    { name: 'y', threads: ['y.wal'], clockRate },
  ];
  const simulation = new Simulation({ seed: 1, behaviors, hosts, ...(network && { network }) });
  await simulation.spawn(counterSpec({ name: 'x', thread: 'x.wal' }));
  await simulation.spawn(counterSpec({ name: 'y', thread: 'y.wal' }));
  return simulation;
}

function counterAt(simulation: Simulation, host: string): ActorRef<CounterMessage> {
  return simulation.ref(`counter/${host}`);
}

/** Has `counter/x`, or another, ask `counter/y` to add, and says what it answered. */
function relay(simulation: Simulation, amount: number, by = 'x'): Promise<number> {
  const asked = { kind: 'relay', path: 'counter/y', amount } as const;
  return simulation.ask(counterAt(simulation, by), asked, { timeout_ms: 60_000 });
}

function total(simulation: Simulation, host: string): Promise<number> {
  return simulation.ask(counterAt(simulation, host), { kind: 'add', amount: 0 }, limits);
}

test('simulated hosts: the network carries asks and answers, and hears which are which', async () => {
  const network = scripted([]);
  const simulation = await twoHosts(network);

  equal(await relay(simulation, 3), 3);

  deepEqual(network.carried, ['add', null]);
});

test('simulated hosts: a message that is lost is an ask that expires', async () => {
  const simulation = await twoHosts(scripted([[]]));

  await rejects(relay(simulation, 3), { code: 'ask_timed_out' });

  equal(await total(simulation, 'y'), 0);
});

test('simulated hosts: a copy is handled again, and its answer is nobody’s', async () => {
  const simulation = await twoHosts(scripted([[1, 5]]));

  const answered = await relay(simulation, 3);
  await simulation.runFor(100);

  equal(answered, 3);
  equal(await total(simulation, 'y'), 6);
});

test('simulated hosts: a message may overtake another', async () => {
  const simulation = await twoHosts(scripted([[50], [1]]));
  await simulation.spawn(counterSpec({ name: 'z', thread: 'x.wal' }));

  const slow = relay(simulation, 1);
  await simulation.runFor(10);
  const fast = relay(simulation, 10, 'z');

  deepEqual(await Promise.all([slow, fast]), [11, 10]);
});

test('simulated hosts: whether a message arrives is asked when its time has come', async () => {
  let broken = false;
  const network = scripted([]);
  const simulation = await twoHosts({
    ...network,
    carry: () => [{ delay_ms: 10, arrives: () => !broken }],
  });
  const asked = rejects(relay(simulation, 1), { code: 'ask_timed_out' });

  await simulation.runFor(5);
  broken = true;
  await asked;

  equal(await total(simulation, 'y'), 0);
});

test('simulated hosts: without a network hosts are as near as threads', async () => {
  const simulation = await twoHosts(null);

  equal(await relay(simulation, 3), 3);
});

test('simulated hosts: within a host the network is not asked', async () => {
  const network = scripted([[]]);
  const simulation = await twoHosts(network);
  await simulation.spawn(counterSpec({ name: 'z', thread: 'x.storage' }));
  const asked = { kind: 'relay', path: 'counter/z', amount: 2 } as const;

  equal(await simulation.ask(counterAt(simulation, 'x'), asked, limits), 2);

  deepEqual(network.carried, []);
});

test('simulated hosts: an answer owed to a dead thread does not reach its successor', async () => {
  // The dead one's ask takes 30 ms, its successor's 60; each thread numbers its asks from 1.
  const simulation = await twoHosts(scripted([[30], [60]]));
  const first = rejects(relay(simulation, 1), { code: 'thread_died' });
  await simulation.runFor(10);
  await simulation.crashThread('x.wal');
  await first;

  const second = await relay(simulation, 10);

  equal(second, 11);
});

test('simulated hosts: who asks a dead host hears at once that nobody is there, or never', async () => {
  for (const [refuses, code] of [
    [true, 'thread_died'],
    [false, 'ask_timed_out'],
  ] as const) {
    const simulation = await twoHosts(scripted([], refuses));
    void simulation.crashThreads(['y.wal'], 100_000);
    await simulation.runFor(1);

    await rejects(relay(simulation, 1), { code });
  }
});

test('simulated hosts: what was asked over a connection that is lost fails', async () => {
  const simulation = await twoHosts(scripted([[100]]));
  const asked = relay(simulation, 1);
  await simulation.runFor(10);

  simulation.loseContact('x', 'y');

  await rejects(asked, { code: 'thread_died' });
});

test('simulated hosts: threads that die together come back together, after the last death', async () => {
  const simulation = await twoHosts(scripted([]));
  const threads = ['x.wal', 'x.storage'];

  const first = simulation.crashThread('x.wal', 100);
  await simulation.runFor(50);
  const second = simulation.crashThreads(threads, 100);
  await first;
  const early = threads.map((thread) => simulation.isUp(thread));
  await second;

  deepEqual(early, [false, false]);
  equal(simulation.now_ms, 150);
  equal(await total(simulation, 'x'), 0);
});

test('simulated hosts: a host waits by its own clock', async () => {
  const simulation = await twoHosts(scripted([]), 2);
  await simulation.spawn({ behavior: 'watch', name: 'y', options: null, thread: 'y.wal' });
  const place = simulation.ref<WatchMessage>('watch/y');
  const began_ms = simulation.now_ms;

  await simulation.ask(place, { kind: 'wait' }, limits);
  const passed_ms = simulation.now_ms - began_ms;
  const { monotonic_ms } = await simulation.ask(place, { kind: 'look' }, limits);

  ok(passed_ms >= 500 && passed_ms < 510, `passed_ms=${passed_ms}`);
  ok(Math.abs(monotonic_ms - 2 * simulation.now_ms) < 10);
});

test('simulated hosts: a wall clock that is set moves no other clock', async () => {
  const simulation = await twoHosts(scripted([]));
  await simulation.spawn({ behavior: 'watch', name: 'y', options: null, thread: 'y.wal' });
  const place = simulation.ref<WatchMessage>('watch/y');
  const before = await simulation.ask(place, { kind: 'look' }, limits);
  const world_ms = simulation.clock.now_ms();

  simulation.jumpClock('y', -3_600_000);
  const after = await simulation.ask(place, { kind: 'look' }, limits);

  ok(after.wall_ms < before.wall_ms - 3_500_000);
  ok(after.monotonic_ms >= before.monotonic_ms && after.monotonic_ms < before.monotonic_ms + 10);
  ok(simulation.clock.now_ms() >= world_ms);
});
