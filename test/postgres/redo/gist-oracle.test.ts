/**
 * Redo of GiST and SP-GiST against stock Postgres: every page after every record, and every op code;
 * and, by way of ingest, what the server leaves on disk.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { gistUnloggedSplits, gistWorkload } from './gist-workload.ts';
import { type OracleReport } from './oracle-replay.ts';
import { type Settings } from './oracle-server.ts';
import { formatReport, runOracle, type Workload } from './oracle.ts';
import { spgistWorkload } from './spgist-workload.ts';

/** Blocks of each record that must have been redone and compared. */
const gistBlocks = { '00': [0, 1], '10': [0], '30': [0, 1, 2, 3], '60': [0, 1] } as const;
const spgistBlocks = {
  '10': [0, 1],
  '20': [0, 1, 2],
  '30': [0, 1, 2],
  '40': [0, 1],
  '50': [0, 1, 2, 3],
  '60': [0],
  '70': [0],
  '80': [0],
} as const;

for (const major of [15, 18]) {
  test(`gist redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const report = await run(major, gistWorkload, { full_page_writes: 'off' });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(missing(report, 'Gist', gistBlocks), [], formatReport(report));
    equal(report.kinds.has('Gist 20'), true);
  });

  test(`spgist redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const report = await run(major, spgistWorkload, { full_page_writes: 'off' });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(missing(report, 'SPGist', spgistBlocks), [], formatReport(report));
  });

  test(`gist redo: positions Postgres ${major} takes for splits it does not log`, async () => {
    const settings = { wal_level: 'minimal', max_wal_senders: '0', wal_skip_threshold: '1GB' };

    const report = await run(major, gistUnloggedSplits, settings);

    equal(report.mismatched, 0, formatReport(report));
    equal(report.kinds.has('Gist 70'), true);
  });
}

async function run(major: number, workload: Workload, settings: Settings): Promise<OracleReport> {
  return runOracle({ major, workloads: [workload], settings });
}

function missing(
  report: OracleReport,
  manager: string,
  expected: Readonly<Record<string, readonly number[]>>,
): string[] {
  const names = Object.entries(expected).flatMap(([op, blocks]) =>
    blocks.map((block) => `${manager} ${op} block ${block}`),
  );
  return names.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0);
}
