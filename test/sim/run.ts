/**
 * Replays seeds:
 * `node --import tsx test/sim/run.ts --seed N [--count M] [--plant defect]`
 */
import { parseArgs } from 'node:util';
import { run } from './scenario.ts';
import { plants, type PlantName } from './plants.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    plant: { type: 'string', default: '' },
  },
});

const first = Number(values.seed);
const plant = values.plant in plants ? (values.plant as PlantName) : null;
let failed = 0;
for (let seed = first; seed < first + Number(values.count); seed += 1) {
  try {
    const { summary } = await run({ seed, plant });
    console.log(JSON.stringify({ seed, ...summary }));
  } catch (error) {
    failed += 1;
    console.error(error);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
