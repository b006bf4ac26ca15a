/**
 * The real quorum in the simulator: whatever fails, what was acknowledged is never lost, and a seed decides
 * everything. More of it: `npm run simulate`.
 */
import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { run, type Summary } from './scenario.ts';
import { type World } from './world.ts';

const seeds = Number(process.env['SIMULATION_SEEDS'] ?? 12);
const first = Number(process.env['SIMULATION_FIRST_SEED'] ?? 1);

test(`simulated quorum: nothing acknowledged is lost on seeds ${first} to ${first + seeds - 1}`, async () => {
  let acknowledgements = 0;
  for (let seed = first; seed < first + seeds; seed += 1)
    acknowledgements += (await summaryOf(seed)).acknowledgements;

  ok(acknowledgements > 20 * seeds, `acknowledgements=${acknowledgements}`);
});

test('simulated quorum: a log of an older term is not committed by who has it in part', async () => {
  for (const seed of [1, 2, 3]) {
    const summary = await run({ seed, isFigureEight: true });

    ok(summary.terms >= 4, `terms=${summary.terms}`);
  }
});

test('simulated quorum: a seed decides everything', async () => {
  for (const seed of [3, 4, 5]) {
    const [one, two] = [await traced(seed), await traced(seed)];

    deepEqual(one, two);
  }
});

async function summaryOf(seed: number): Promise<Summary> {
  try {
    return await run({ seed });
  } catch (error) {
    const command = `npm run simulate -- --from ${seed} --trace`;
    throw new Error(`seed=${seed}, again with: ${command}`, { cause: error });
  }
}

async function traced(seed: number): Promise<readonly string[]> {
  const worlds: World[] = [];
  await run({ seed, onWorld: (world) => worlds.push(world) });
  return worlds[0]!.simulation.trace.map((event) => JSON.stringify(event));
}
