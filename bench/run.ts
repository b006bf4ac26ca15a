/**
 * Runs benchmarks by name: `npm run bench -- NAME… [--json] [--small]`; without a name, all of them.
 */
import { parseArgs } from 'node:util';
import { measureBranch } from './branch.ts';
import { measureCommit } from './commit.ts';
import { formatReport, type Report, type Size } from './harness.ts';
import { measurePgbench } from './pgbench.ts';
import { measureQuorum } from './quorum.ts';
import { measureRedo } from './redo.ts';
import { measureRest } from './rest.ts';
import { measureScan } from './scan.ts';
import { measureStart } from './start.ts';

export const benches: Readonly<Record<string, (size: Size) => Promise<Report>>> = {
  start: measureStart,
  branch: measureBranch,
  rest: measureRest,
  redo: measureRedo,
  scan: measureScan,
  commit: measureCommit,
  quorum: measureQuorum,
  pgbench: measurePgbench,
};

async function run(): Promise<void> {
  const flags = { json: { type: 'boolean' }, small: { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ options: flags, allowPositionals: true });
  const names = positionals.length === 0 ? Object.keys(benches) : positionals;
  const reports: Record<string, Report> = {};
  for (const name of names) {
    const measure = benches[name];
    if (measure === undefined) {
      throw new Error(`no benchmark ${name}: there are ${Object.keys(benches).join(', ')}`);
    }
    const report = await measure(values.small === true ? 'small' : 'full');
    reports[name] = report;
    if (values.json !== true) process.stdout.write(`${formatReport(report)}\n`);
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify(reports)}\n`);
}

if (import.meta.main) await run();
