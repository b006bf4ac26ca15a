/**
 * Redo of heap and heap2 against stock Postgres: every page after every record, and every op code;
 * and, by way of ingest, what the server leaves on disk, bits of the visibility map included.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { type Major } from '../../../src/postgres/major.ts';
import {
  pageContentDifferences,
  relationSizeDifferences,
  visibilityDifferences,
} from '../ingest/compare.ts';
import { ingestCluster } from '../ingest/recovery.ts';
import { heapLogicalWorkload, heapWorkload } from './heap-workload.ts';
import { type OracleReport } from './oracle-replay.ts';
import { makeCluster, removeCluster, runServer, type Settings } from './oracle-server.ts';
import { formatReport, runOracle } from './oracle.ts';

/** Blocks that must have been redone and compared; `80` and up are op codes on a new page. */
const expectedBlocks = [
  ...['00', '10', '20', '40', '50', '60', '70', '80', 'a0'].map((op) => `Heap ${op} block 0`),
  ...['20', 'a0'].map((op) => `Heap ${op} block 1`),
  ...['10', '20', '30', '40', '50', '60', 'd0'].map((op) => `Heap2 ${op} block 0`),
  'Heap2 40 block 1',
];
/** No sequence and no copied database is left out of the comparison. */
const noRelation = -1;
/** Records without blocks: truncate, logical rewrite, new command id. */
const expectedKinds = ['Heap 30', 'Heap2 00', 'Heap2 70'];

for (const major of [15, 16, 17, 18]) {
  test(`heap redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const settings = { full_page_writes: 'off' };

    const report = await runOracle({ major, workloads: [heapWorkload], settings });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(unseenBlocks(report), [], formatReport(report));
  });
}

for (const major of [15, 16, 17, 18] as const) {
  test(`heap redo: pages and maps end up as Postgres ${major} leaves them on disk`, async () => {
    const settings = { full_page_writes: 'off', wal_consistency_checking: '' };

    const differences = await differencesOnDisk(major, settings);

    deepEqual(differences, []);
  });
}

for (const major of [15, 18]) {
  test(`heap redo: what Postgres ${major} logs for logical decoding changes no page`, async () => {
    const settings = { full_page_writes: 'off', wal_level: 'logical' };

    const report = await runOracle({ major, workloads: [heapLogicalWorkload], settings });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(
      expectedKinds.filter((kind) => !report.kinds.has(kind)),
      [],
      [...report.kinds].join(', '),
    );
  });
}

function unseenBlocks(report: OracleReport): string[] {
  return expectedBlocks.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0);
}

async function differencesOnDisk(major: Major, settings: Settings): Promise<string[]> {
  const cluster = makeCluster(major);
  try {
    await runServer(cluster, settings, heapWorkload);
    const { tip } = ingestCluster(cluster);
    return [
      ...relationSizeDifferences(tip, cluster.data, major),
      ...pageContentDifferences(tip, cluster.data, major, noRelation),
      ...visibilityDifferences(tip, cluster.data, major, noRelation),
    ];
  } finally {
    removeCluster(cluster);
  }
}
