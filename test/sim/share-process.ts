/**
 * A process that runs a share of seeds and tells its parent, or prints one seed's story.
 */
import { parseArgs } from 'node:util';
import { ensureMutated } from './mutation.ts';
import { emptyReport, merge, type Report } from './report.ts';
import { run } from './scenario.ts';
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

const first = Number(values.from);
const count = Number(values.seeds);

ensureMutated();
if (values.share === undefined) process.exitCode = await tell(first);
else await runShare(values.share);

/** With a mutant up to the first seed that finds it. */
async function runShare(share: string): Promise<void> {
  const [index, of] = share.split('/').map(Number) as [number, number];
  let report = emptyReport;
  for (let seed = first + index; seed < first + count; seed += of) {
    report = merge(report, await reportOf(seed));
    if (values.mutant !== undefined && report.failures.length > 0) break;
  }
  process.send!(report, () => process.exit());
}

async function reportOf(seed: number): Promise<Report> {
  try {
    const { virtual_ms, steps, faults, acknowledgements, generations } = await run({ seed });
    const changes = generations - 1;
    return { seeds: 1, virtual_ms, steps, faults, acknowledgements, changes, failures: [] };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { ...emptyReport, seeds: 1, failures: [{ seed, text }] };
  }
}

async function tell(seed: number): Promise<number> {
  const worlds: World[] = [];
  try {
    const summary = await run({ seed, onWorld: (made) => worlds.push(made) });
    worlds.forEach(printTrace);
    console.log(JSON.stringify(summary));
    return 0;
  } catch (error) {
    worlds.forEach(printTrace);
    console.log(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
