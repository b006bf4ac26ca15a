/**
 * A process that runs a share of seeds and tells its parent, or prints one seed's story.
 */
import { parseArgs } from 'node:util';
import { mutantNamed, mutants, type Mutant } from './mutants.ts';
import { ensureMutated } from './mutation.ts';
import { emptyReport, merge, type Report } from './report.ts';
import { run, type Summary } from './scenario.ts';
import { printTrace } from './trace.ts';
import { type World } from './world.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    share: { type: 'string' },
  },
});

/** Of the seed that runs. */
const worlds: World[] = [];
process.on('unhandledRejection', (error) => {
  const values = { failure: String(error) };
  worlds.at(-1)!.ledger.claim(false, 'whatever fails is heard of by somebody', values);
});

const mutant: Mutant | null =
  values.mutant === undefined ? null : mutants[mutantNamed(values.mutant)];
const first = Number(values.from);
const count = Number(values.seeds);

ensureMutated();
if (values.share === undefined) process.exitCode = await tell(first);
else await runShare(values.share);

/** With a mutant up to the first seed that finds it. */
async function runShare(share: string): Promise<void> {
  Error.stackTraceLimit = 0; // failures are made by the thousand; who wants stacks has the seed's story
  const [index, of] = share.split('/').map(Number) as [number, number];
  let report = emptyReport;
  for (let seed = first + index; seed < first + count; seed += of) {
    report = merge(report, await reportOf(seed));
    if (mutant !== null && report.failures.length > 0) break;
  }
  process.send!(report, () => process.exit());
}

function runSeed(seed: number): Promise<Summary> {
  worlds.length = 0;
  const isFigureEight = mutant?.isFigureEight === true;
  return run({ seed, isFigureEight, onWorld: (made) => worlds.push(made) });
}

async function reportOf(seed: number): Promise<Report> {
  try {
    const { virtual_ms, steps, faults, acknowledgements, generations } = await runSeed(seed);
    const changes = generations - 1;
    return { seeds: 1, virtual_ms, steps, faults, acknowledgements, changes, failures: [] };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { ...emptyReport, seeds: 1, failures: [{ seed, text }] };
  }
}

async function tell(seed: number): Promise<number> {
  try {
    const summary = await runSeed(seed);
    worlds.forEach(printTrace);
    console.log(JSON.stringify(summary));
    return 0;
  } catch (error) {
    worlds.forEach(printTrace);
    console.log(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
