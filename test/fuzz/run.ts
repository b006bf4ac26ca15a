/**
 * The fuzzer as a program: `npm run fuzz -- --mutations 10000000 [--seed S]`. Exit code 1 when a case
 * ended in anything but a value or a corrupt failure; its seed with `--mutations 1` repeats it.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    mutations: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
  },
});

const [seed, count] = [Number(values.seed), Number(values.mutations)];
const begun = Date.now();
const { counts, wrong } = await fuzz(seed, count, (done) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done}`);
});
for (const [name, { value, corrupt }] of Object.entries(counts))
  console.log(`${name}: ${value} values, ${corrupt} corrupt`);
for (const { seed: at, target, what } of wrong) console.log(`seed ${at}, ${target}: ${what}`);
const seconds = (Date.now() - begun) / 1_000;
console.log(
  `${count} mutations from seed ${seed} in ${seconds.toFixed(1)} s, ${wrong.length} wrong`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
