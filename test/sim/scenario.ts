/**
 * Scenario: one seed's run: a world begins, is tormented, heals, and is looked at.
 */
import { disturb, faultsOf } from './faults.ts';
import { figureEightWorld, playFigureEight } from './figure-eight.ts';
import { heal } from './healing.ts';
import { checkAllHaveAll, checkQuorum } from './quorum-check.ts';
import { World, type WorldOptions } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Whether Raft's figure 8 is played instead of what the seed would do. */
  readonly isFigureEight?: boolean;
  /** Told of the world before anything happens in it. */
  readonly onWorld?: (world: World) => void;
}

/** What happened in a run. */
export interface Summary {
  readonly terms: number;
  readonly generations: number;
  readonly acknowledgements: number;
  readonly committedBytes: number;
  readonly virtual_ms: number;
  readonly steps: number;
  /** How often what was done: to the world, and to messages. */
  readonly faults: Readonly<Record<string, number>>;
}

/** With changes of members there is more to go through. */
const faultyTime_ms = { steady: 3_000, changing: 8_000 } as const;

/**
 * The kind of world a seed makes: one in five has a single acceptor, half of the others change members; a
 * third keep WAL in the object store.
 */
function kindOf(seed: number): Omit<WorldOptions, 'seed'> {
  const acceptors = seed % 5 === 0 ? 1 : 3;
  return { acceptors, changes: acceptors > 1 && seed % 2 === 0, archived: seed % 3 === 0 };
}

/** A whole run. Throws the first claim that did not hold. */
export async function run({ seed, isFigureEight, onWorld }: RunOptions): Promise<Summary> {
  const kind = kindOf(seed);
  const world = isFigureEight === true ? figureEightWorld(seed) : new World({ seed, ...kind });
  onWorld?.(world);
  try {
    if (isFigureEight === true) await playFigureEight(world);
    else await play(world, kind.changes);
    return await finish(world);
  } finally {
    world.simulation.end();
  }
}

async function play(world: World, changes: boolean): Promise<void> {
  const { simulation } = world;
  await world.start();
  let over = false;
  const writing = world.writers.map((writer) => writer.runUntil(() => over));
  try {
    await torment(world, changes);
  } finally {
    over = true;
  }
  await simulation.run(Promise.all(writing));
  world.check();
  await heal(world);
}

async function finish(world: World): Promise<Summary> {
  const { simulation, ledger } = world;
  checkQuorum(world);
  await simulation.stop();
  world.check();
  checkAllHaveAll(world);
  return {
    terms: ledger.terms,
    generations: ledger.generations,
    acknowledgements: ledger.acknowledgements,
    committedBytes: ledger.committed.end - ledger.start,
    virtual_ms: Math.round(simulation.now_ms),
    steps: simulation.steps,
    faults: Object.fromEntries([...world.faults, ...world.network.done]),
  };
}

async function torment(world: World, changes: boolean): Promise<void> {
  const { random, simulation } = world;
  const faults = faultsOf(world, changes);
  const end_ms = simulation.now_ms + (changes ? faultyTime_ms.changing : faultyTime_ms.steady);
  const pause_ms = random.pick([20, 100, 400]);
  while (simulation.now_ms < end_ms) {
    await simulation.runFor(1 + random.below(2 * pause_ms));
    world.check();
    if (random.oneIn(8)) checkQuorum(world);
    else disturb(world, faults);
  }
}
