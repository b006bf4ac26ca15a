/**
 * The simulated network: connections keep their order and lose only when they break; datagrams do
 * anything.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/io/random.ts';
import { calm, SimulatedNetwork, type Manner } from './network.ts';

/** A network whose time stands still until it is told otherwise. */
class Bench {
  now_ms = 0;
  readonly lost: string[] = [];
  readonly timers: { readonly due_ms: number; readonly action: () => void }[] = [];
  readonly off = new Set<string>();
  readonly network: SimulatedNetwork;

  constructor(manner: Manner, seed = 1) {
    this.network = new SimulatedNetwork({
      random: new SeededRandom(seed),
      manner,
      now_ms: () => this.now_ms,
      after: (delay_ms, action) => this.timers.push({ due_ms: this.now_ms + delay_ms, action }),
      loseContact: (host, other) => this.lost.push(`${host}>${other}`),
      isOff: (host) => this.off.has(host),
    });
  }

  /** When a message sent now arrives, and each of its copies; asks are `x`'s, answers `y`'s. */
  delays(from: string, to: string, kind: string | null): readonly number[] {
    return this.network.carry(from, to, kind).map(({ delay_ms }) => delay_ms);
  }
}

test('network of connections: messages of a connection arrive once and in order', () => {
  const { network, delays } = bound(new Bench('connections'));
  network.weather = { ...calm, latency_ms: 50, loss_oneIn: 3, late_oneIn: 2, double_oneIn: 2 };

  const arrivals = Array.from({ length: 200 }, () => delays('x', 'y', 'ask'));

  ok(arrivals.every(({ length }) => length === 1));
  const flat = arrivals.flat();
  deepEqual(
    flat,
    flat.toSorted((a, b) => a - b),
  );
  ok(flat.at(-1)! > 200);
});

test('network of connections: a cut delays one way, until it ends', () => {
  const { network, delays } = bound(new Bench('connections'));

  network.cut('x', 'y', 1_000);
  const [there] = delays('x', 'y', 'ask');
  const [back] = delays('y', 'x', null);

  ok(there! >= 1_000 && there! < 1_002, `there=${there}`);
  ok(back! < 2, `back=${back}`);
});

test('network of connections: a break loses what is on its way, and both sides notice', () => {
  const bench = new Bench('connections', 3);
  const { network } = bench;
  network.weather = { ...calm, latency_ms: 2_000 };
  const asks = Array.from({ length: 50 }, () => network.carry('x', 'y', 'ask')[0]!);

  network.break('x', 'y');
  for (const { action } of bench.timers) action();
  bench.now_ms = 600; // later than anybody needs to notice

  deepEqual(bench.lost.toSorted(), ['x>y', 'y>x']);
  ok(asks.every((passage) => !passage.arrives()));
  ok(network.carry('x', 'y', 'ask')[0]!.arrives());
});

test('network of connections: who has not noticed a break still gets what was on its way', () => {
  let late = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const bench = new Bench('connections', seed);
    const [passage] = bench.network.carry('x', 'y', 'ask');
    bench.network.break('x', 'y');
    const noticed_ms = bench.timers[0]!.due_ms;

    if (noticed_ms > 0 && passage!.arrives()) late += 1;
    bench.now_ms = noticed_ms + 1;
    ok(!passage!.arrives());
  }
  ok(late > 0);
});

test('network of datagrams: messages are lost, late and doubled', () => {
  const { network, delays } = bound(new Bench('datagrams'));
  network.weather = { ...calm, loss_oneIn: 4, late_oneIn: 4, double_oneIn: 4 };

  const arrivals = Array.from({ length: 200 }, () => delays('x', 'y', 'ask'));

  for (const copies of [0, 1, 2]) ok(arrivals.some(({ length }) => length === copies));
  ok(arrivals.flat().some((delay_ms) => delay_ms > 100));
  deepEqual([...network.done.keys()].toSorted(), ['doubled', 'late', 'lost']);
});

test('network: a host without power refuses nothing, nor does one that is cut off', () => {
  const bench = new Bench('connections');
  const { network } = bench;

  equal(network.refuses('x', 'y'), true);
  network.cut('y', 'x', 10);
  equal(network.refuses('x', 'y'), false);
  network.heal();
  bench.off.add('y');
  equal(network.refuses('x', 'y'), false);
});

function bound(bench: Bench): {
  readonly network: SimulatedNetwork;
  readonly delays: Bench['delays'];
} {
  return { network: bench.network, delays: (from, to, kind) => bench.delays(from, to, kind) };
}
