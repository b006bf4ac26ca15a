/**
 * Faults: what a seed does to a world: power losses, crashes, pauses, full disks, lost messages.
 */
import { plants, type PlantName } from './plants.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** 1 or 3. */
  readonly acceptors: number;
  readonly plant: PlantName | null;
}

type Fault = (world: World) => void;

const faults: readonly Fault[] = [
  losePower,
  losePowerLater,
  losePowerLater,
  losePowerEverywhere,
  crashProcess,
  crashActor,
  pauseThread,
  fillDisk,
  loseMessages,
  (world) => {
    void world.removeWal();
  },
];

const faultyTime_ms = 3_000;

/** What happened in a run. */
export interface Summary {
  readonly terms: number;
  readonly acknowledgements: number;
  readonly committedBytes: number;
  readonly virtual_ms: number;
  readonly steps: number;
}

/** A whole run. Throws the first claim that did not hold, and says how to see it again. */
export async function run(options: RunOptions): Promise<{ world: World; summary: Summary }> {
  const { seed, acceptors, plant } = options;
  const world = new World({ seed, acceptors, plant: plant === null ? null : plants[plant] });
  try {
    return { world, summary: await play(world) };
  } catch (error) {
    const planted = plant === null ? '' : ` --plant ${plant}`;
    const command = `node --import tsx test/sim/run.ts --seed ${seed} --acceptors ${acceptors}`;
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`${text}\nseed=${seed}, again with: ${command}${planted}`, { cause: error });
  }
}

async function play(world: World): Promise<Summary> {
  const { simulation, ledger } = world;
  await world.start();
  let over = false;
  const writing = world.writers.map((writer) => writer.runUntil(() => over));
  try {
    await torment(world);
  } finally {
    over = true;
  }
  await simulation.run(Promise.all(writing));
  world.check();
  await world.heal();
  world.checkQuorum();
  await world.stop();
  return {
    terms: ledger.terms,
    acknowledgements: ledger.acknowledgements,
    committedBytes: ledger.committed.end - ledger.start,
    virtual_ms: Math.round(simulation.now_ms),
    steps: simulation.trace.length,
  };
}

async function torment(world: World): Promise<void> {
  const { random, simulation } = world;
  const end_ms = simulation.now_ms + faultyTime_ms;
  const pause_ms = random.pick([20, 100, 400]);
  while (simulation.now_ms < end_ms) {
    await simulation.runFor(1 + random.below(2 * pause_ms));
    world.check();
    if (random.oneIn(8)) world.checkQuorum();
    else random.pick(faults)(world);
  }
}

function losePower(world: World): void {
  const machine = world.random.pick(world.machines);
  if (!world.down.has(machine.thread)) void world.losePower(machine, world.random.below(300));
}

/** Between any two operations on the disk, those of the next start included. */
function losePowerLater(world: World): void {
  world.random.pick(world.machines).disk.losePowerAfter(1 + world.random.below(40));
}

function losePowerEverywhere(world: World): void {
  for (const machine of world.machines)
    if (!world.down.has(machine.thread)) void world.losePower(machine, world.random.below(300));
}

function crashProcess(world: World): void {
  const thread = world.random.pick(world.threads);
  if (!world.down.has(thread)) void world.crashThread(thread, world.random.below(300));
}

function crashActor(world: World): void {
  const { random, machines, simulation } = world;
  const { id } = random.pick(machines);
  const paths = [
    `acceptor-${id}/t`,
    'proposer/p',
    'proposer/q',
    `timeline/${id}`,
    `wal-receiver/${id}`,
  ];
  simulation.crashActor(random.pick(paths));
}

function pauseThread(world: World): void {
  const thread = world.random.pick(world.threads);
  if (!world.down.has(thread)) world.simulation.pauseThread(thread, world.random.below(1_000));
}

function fillDisk(world: World): void {
  const { random, simulation } = world;
  const { disk } = random.pick(world.machines);
  disk.room = random.below(100_000);
  simulation.after(random.below(500), () => {
    disk.room = Infinity;
  });
}

function loseMessages(world: World): void {
  world.loss_oneIn = world.random.pick([null, 4, 20, 100]);
}
