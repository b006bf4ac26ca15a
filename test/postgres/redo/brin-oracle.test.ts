/**
 * Redo of BRIN indexes against stock Postgres: every page after every record, and every op code.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { brinWorkload } from './brin-workload.ts';
import { formatReport, runOracle } from './oracle.ts';

/** Blocks that must have been redone and compared; `90` and `a0` begin a new page. */
const expectedBlocks = [
  ...['00', '10', '20', '30', '40', '50', '90', 'a0'].map((op) => `BRIN ${op} block 0`),
  ...['10', '20', '40', '50', '90', 'a0'].map((op) => `BRIN ${op} block 1`),
  ...['20', 'a0'].map((op) => `BRIN ${op} block 2`),
];

for (const major of [15, 18])
  test(`brin redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const report = await runOracle({
      major,
      workloads: [brinWorkload],
      settings: { full_page_writes: 'off' },
    });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(
      expectedBlocks.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0),
      [],
      formatReport(report),
    );
  });
