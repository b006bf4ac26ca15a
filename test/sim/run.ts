/**
 * The quorum simulator's command line, `npm run simulate --`:
 * `--seeds N [--from S]` runs N seeds; `--from S --trace` tells one seed's story; `--mutant NAME` puts a
 * defect in, and stops at the first seed that finds it; `--mutants` tries all of them; `--json` for
 * machines.
 */
import { parseArgs } from 'node:util';
import { mutantNamed, mutants, type Mutant, type MutantName } from './mutants.ts';
import { emptyReport, merge, printReport } from './report.ts';
import { runShare, tellStory, type Seeds } from './shares.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});

const processes = 2;
const asked: Seeds = {
  first: Number(values.from),
  count: Number(values.seeds),
  mutant: values.mutant === undefined ? null : mutantNamed(values.mutant),
};

if (values.trace) process.exitCode = await tellStory(asked);
else if (values.mutants) process.exitCode = (await findAll()) ? 0 : 1;
else process.exitCode = await runAll();

/** With a mutant one seed after the other: which finds it first is the question. */
async function runAll(): Promise<number> {
  const began_ms = performance.now();
  const of = asked.mutant === null ? Math.min(processes, asked.count) : 1;
  const all = Array.from({ length: of }, (_, index) => runShare(asked, { index, of }));
  const report = (await Promise.all(all)).reduce(merge, emptyReport);
  const minutes = (performance.now() - began_ms) / 60_000;
  printReport(report, { minutes, mutant: asked.mutant, json: values.json });
  return report.failures.length === 0 ? 0 : 1;
}

/** Whether each mutant is found within its seeds. */
async function findAll(): Promise<boolean> {
  let all = true;
  for (const [name, mutant] of Object.entries<Mutant>(mutants)) {
    const { within: count } = mutant;
    const seeds = { first: 1, count, mutant: name as MutantName };
    const [found] = (await runShare(seeds, { index: 0, of: 1 })).failures;
    if (found === undefined) all = false;
    const text = found === undefined ? 'NOT FOUND' : `seed ${found.seed}: ${found.text}`;
    console.log(`${name} (within ${count}): ${text}`);
  }
  return all;
}
