/**
 * Redo of everything but heaps against stock Postgres: every page after every record, and every op
 * code (heap-oracle.test.ts has the heaps).
 */
import { test } from 'node:test';
import { deepEqual, equal, ok } from 'node:assert/strict';
import { btreeWorkload } from './btree-workload.ts';
import { genericWorkload, imageWorkload, sequenceWorkload } from './other-workloads.ts';
import { formatReport, runOracle } from './oracle.ts';
import { type OracleReport } from './oracle-replay.ts';

const workloads = [btreeWorkload, sequenceWorkload, genericWorkload, imageWorkload];

/** The blocks of each record of a manager that the workloads must have had redone and compared. */
const expected = {
  Btree: {
    '00': [0],
    '10': [0, 1],
    '20': [0, 1, 2],
    '30': [0, 1, 2, 3],
    '40': [0, 1, 2, 3],
    '50': [0],
    '60': [0],
    '70': [0],
    '80': [0, 1, 2, 3],
    '90': [0, 2, 3, 4],
    a0: [0, 1, 2],
    b0: [0, 1],
    c0: [0],
    e0: [0],
  },
  Sequence: { '00': [0] },
  Generic: { '00': [0] },
} as const;

for (const major of [15, 16, 17, 18]) {
  test(`redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const report = await runOracle({ major, workloads, settings: { full_page_writes: 'off' } });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(missing(report), [], formatReport(report));
  });
}

for (const major of [15, 18]) {
  test(`redo: images and records mix as Postgres ${major} mixes them`, async () => {
    const report = await runOracle({
      major,
      workloads: [sequenceWorkload, genericWorkload, imageWorkload],
      settings: { full_page_writes: 'on', wal_compression: 'pglz', wal_log_hints: 'on' },
    });

    equal(report.mismatched, 0, formatReport(report));
    const images = ['XLOG a0', 'XLOG b0', 'Heap 00', 'Btree 00', 'Generic 00'];
    ok(images.every((kind) => (report.blocks.get(`${kind} block 0`)?.imaged ?? 0) > 0));
    ok(report.compared > 1_000 && report.comparedAtEnd > 100);
  });
}

function missing(report: OracleReport): string[] {
  const wanted = Object.entries(expected).flatMap(([manager, records]) =>
    Object.entries(records).flatMap(([info, blocks]) =>
      blocks.map((block) => `${manager} ${info} block ${block}`),
    ),
  );
  return wanted.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0);
}
