/**
 * Raft's figure 8 with the real actors, move by move, since no number of random runs plays it: a log of an
 * older term is on a majority in part, and yet may be cut, for the log that beats it is elsewhere.
 */
import { assert } from '../../src/base/assert.ts';
import { heal } from './healing.ts';
import { World } from './world.ts';

const records = 9;
/** Together more than is handed on at once. */
const recordBytes = 200_000;
const long_ms = 60_000;
const step_ms = 0.05;

export function figureEightWorld(seed: number): World {
  return new World({
    ...{ seed, acceptors: 3, changes: false, archived: false },
    manner: 'datagrams',
    computes: { p: 'a', q: 'b' },
  });
}

export async function playFigureEight(world: World): Promise<void> {
  const [p, q] = world.writers;
  assert(p !== undefined && q !== undefined, 'two computes');
  await world.start();

  part(world, 'a', 'b');
  const first = await p.elect(); // of a and c
  assert(first !== null, 'two of three elect');
  part(world, 'a', 'c');
  const end = { begin: first.endOfLog, previous: first.lastRecordStart };
  for (let count = 0; count < records; count += 1)
    void p.append(first.term, end, recordBytes).catch(() => undefined);
  await world.simulation.runFor(200); // a has it all, and nobody else any

  const second = q.elect(); // of b and c, but c does not hear that it is over
  await until(world, 'c', 'vote');
  part(world, 'b', 'c');
  await second;

  join(world, 'a', 'c');
  const third = p.elect(); // of a and c: a's log is the best
  await until(world, 'c', 'appendWal');
  world.network.cut('a', 'c', long_ms); // c has a part of it, and says so
  await world.simulation.runFor(100);
  part(world, 'a', 'c');
  await third;

  join(world, 'b', 'c');
  await q.elect(); // of b and c: b's log is of a later term than c's
  world.check();
  await heal(world);
}

/** Runs until the acceptor has handled one more message of this kind. */
async function until({ simulation }: World, host: string, kind: string): Promise<void> {
  const limit_ms = simulation.now_ms + long_ms;
  let seen = simulation.trace.length;
  for (;;) {
    await simulation.runFor(step_ms);
    for (; seen < simulation.trace.length; seen += 1) {
      const { what, to, detail } = simulation.trace[seen]!;
      if (what === 'receive' && to === `acceptor-${host}/t` && detail === kind) return;
    }
    assert(simulation.now_ms < limit_ms, 'the move is made');
  }
}

function part({ network }: World, one: string, other: string): void {
  network.cut(one, other, long_ms);
  network.cut(other, one, long_ms);
}

function join({ network }: World, one: string, other: string): void {
  network.cut(one, other, 0);
  network.cut(other, one, 0);
}
