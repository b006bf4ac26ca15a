/**
 * The real quorum in the simulator: whatever fails, what was acknowledged is never lost; and the
 * simulator finds defects that are put in. One seed again: `node --import tsx test/sim/run.ts --seed N`.
 */
import { deepEqual, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './scenario.ts';
import { type PlantName } from './plants.ts';

const seeds = Number(process.env['SIMULATION_SEEDS'] ?? 12);
const first = Number(process.env['SIMULATION_FIRST_SEED'] ?? 1);

test(`simulated quorum: nothing acknowledged is lost on seeds ${first} to ${first + seeds - 1}`, async () => {
  let acknowledgements = 0;

  for (let seed = first; seed < first + seeds; seed += 1) {
    const { summary } = await run({ seed, plant: null });
    acknowledgements += summary.acknowledgements;
  }

  ok(acknowledgements > 20 * seeds, `acknowledgements=${acknowledgements}`);
});

test('simulated quorum: a seed decides everything', async () => {
  for (const seed of [3, 5]) {
    const [one, two] = [await traced(seed), await traced(seed)];

    deepEqual(one, two);
  }
});

const found: Readonly<Record<PlantName, RegExp>> = {
  answersBeforeSync:
    /starts from what a crash left|acknowledged is on disk|has on disk what was ack/,
  forgetsVotes: /a promised term outlives a crash|an acceptor votes once in a term/,
  reportsPartOfRecord: /a reported position is the end of a record/,
  servesUncommitted: /what is given out as committed is committed/,
  keepsLoserRecords: /a log holds what its terms wrote|without faults everybody gets everything/,
};

for (const [plant, claim] of Object.entries(found) as [PlantName, RegExp][])
  test(`simulated quorum: an acceptor that ${inWords(plant)} is found within ten seeds`, async () => {
    const error = await firstError(plant);

    ok(error !== null, 'no seed found it');
    await rejects(Promise.reject(error), claim);
    await rejects(Promise.reject(error), /run\.ts --seed \d+ --plant/);
  });

async function firstError(plant: PlantName): Promise<Error | null> {
  for (let seed = 1; seed <= 10; seed += 1) {
    try {
      await run({ seed, plant });
    } catch (error) {
      return error as Error;
    }
  }
  return null;
}

async function traced(seed: number): Promise<readonly string[]> {
  const { world } = await run({ seed, plant: null });
  return world.simulation.trace.map((event) => JSON.stringify(event));
}

function inWords(plant: string): string {
  return plant.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
