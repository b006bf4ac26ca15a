/**
 * Shares: seeds run by processes of their own, so that there may be several, and a mutant in them.
 */
import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type MutantName } from './mutants.ts';
import { type Report } from './report.ts';

export interface Seeds {
  readonly first: number;
  readonly count: number;
  readonly mutant: MutantName | null;
}

/** Every `of`th seed, from the `index`th on. */
export interface Share {
  readonly index: number;
  readonly of: number;
}

/** A process that takes longer for a seed, on average, hangs. */
const seedTime_ms = 10_000;
const startTime_ms = 60_000;

/** Fails when the process ends without a report: a mutant may also crash it. */
export async function runShare(seeds: Seeds, { index, of }: Share): Promise<Report> {
  const timeout = startTime_ms + seeds.count * seedTime_ms;
  const child = start(seeds, [`--share=${index}/${of}`], { timeout, killSignal: 'SIGKILL' });
  const reports: Report[] = [];
  child.on('message', (message) => reports.push(message as Report));
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const [report] = reports;
  if (report === undefined)
    throw new Error(`no report: code=${String(code)} signal=${String(signal)}`);
  return report;
}

/** Prints everything that happens in the first of the seeds. Returns the exit code. */
export async function tellStory(seeds: Seeds): Promise<number> {
  const [code] = (await once(start(seeds, [], {}), 'exit')) as [number | null];
  return code ?? 1;
}

// three parameters: what is run, which part, and how
function start(
  { first, count, mutant }: Seeds,
  share: readonly string[],
  options: ForkOptions,
): ChildProcess {
  const path = fileURLToPath(new URL('share-process.ts', import.meta.url));
  const mutation = new URL('mutation.ts', import.meta.url).href;
  const args = [`--from=${first}`, `--seeds=${count}`, ...share];
  if (mutant !== null) args.push(`--mutant=${mutant}`);
  return fork(path, args, { ...options, execArgv: ['--import', mutation] });
}
