/**
 * Redo of GIN against stock Postgres: every page after every record, and every form of record.
 */
import { test } from 'node:test';
import { deepEqual, equal } from 'node:assert/strict';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { ginVariants, variantsOf } from './gin-variants.ts';
import { ginWorkload } from './gin-workload.ts';
import { formatReport, runOracle } from './oracle.ts';
import { type RedoSample } from './oracle-replay.ts';

/** Those whose pages come as images, so that there is nothing to redo. */
const imaged = ['Gin 30 block 0', 'Gin 30 block 1', 'Gin 30 block 2', 'Gin 40 block 0'];

for (const major of [15, 18])
  test(`gin: every page is as Postgres ${major} made it, after every record`, async () => {
    const seen = new Set<string>();
    function observer(sample: RedoSample): void {
      if (sample.rmgr === resourceManagers.gin)
        for (const variant of variantsOf(sample)) seen.add(variant);
    }
    const settings = { full_page_writes: 'off' };

    const report = await runOracle({ major, workloads: [ginWorkload], settings, observer });

    equal(report.mismatched, 0, formatReport(report));
    const missing = ginVariants.filter((variant) => !seen.has(variant));
    deepEqual(missing, [], formatReport(report));
    const count = imaged.filter((name) => (report.blocks.get(name)?.imaged ?? 0) > 0).length;
    equal(count, imaged.length);
  });
