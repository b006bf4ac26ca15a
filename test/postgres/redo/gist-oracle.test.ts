/**
 * Redo of GiST and SP-GiST against stock Postgres: every page after every record, and every form of
 * record.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { gistVariant, gistVariants } from './gist-variants.ts';
import { gistKilledTuples, gistUnloggedSplits, gistWorkload } from './gist-workload.ts';
import { type OracleReport } from './oracle-replay.ts';
import { type Settings } from './oracle-server.ts';
import { formatReport, runOracle, type Workload } from './oracle.ts';
import { spgistVariants, spgistVariantsOf } from './spgist-variants.ts';
import { spgistWorkload } from './spgist-workload.ts';

const { gist, spgist } = resourceManagers;

for (const major of [15, 18]) {
  test(`gist: every page is as Postgres ${major} made it, after every record`, async () => {
    const workloads = [gistWorkload, gistKilledTuples];

    const { report, seen } = await run(major, workloads, { full_page_writes: 'off' });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(missing(gistVariants, seen), [], formatReport(report));
    ok(report.kinds.has('Gist 20'), 'pages are used again');
  });

  test(`spgist: every page is as Postgres ${major} made it, after every record`, async () => {
    const { report, seen } = await run(major, [spgistWorkload], { full_page_writes: 'off' });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(missing(spgistVariants, seen), [], formatReport(report));
  });

  test(`gist: positions that Postgres ${major} takes for splits without a record`, async () => {
    const settings = { wal_level: 'minimal', max_wal_senders: '0', wal_skip_threshold: '1GB' };

    const { report } = await run(major, [gistUnloggedSplits], settings);

    equal(report.mismatched, 0, formatReport(report));
    ok(report.kinds.has('Gist 70'));
  });
}

interface Seen {
  readonly report: OracleReport;
  /** Variants of which at least one was redone and right. */
  readonly seen: ReadonlySet<string>;
}

async function run(
  major: number,
  workloads: readonly Workload[],
  settings: Settings,
): Promise<Seen> {
  const seen = new Set<string>();
  const report = await runOracle({
    major,
    workloads,
    settings,
    observer: (sample) => {
      if (sample.rmgr === gist) seen.add(gistVariant(sample));
      if (sample.rmgr === spgist) for (const each of spgistVariantsOf(sample)) seen.add(each);
    },
  });
  return { report, seen };
}

function missing(expected: readonly string[], seen: ReadonlySet<string>): string[] {
  return expected.filter((variant) => !seen.has(variant));
}
