/**
 * Redo of hash indexes against stock Postgres: every page after every record, every op code, and
 * every form of the records that have several.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { formOf, hashForms } from './hash-forms.ts';
import { hashWorkload } from './hash-workload.ts';
import { type OracleReport } from './oracle-replay.ts';
import { formatReport, runOracle } from './oracle.ts';

/**
 * The blocks of each record that must have been redone and compared. Missing are 50, which is nothing
 * but an image, a second bitmap (30 block 3), and the page behind a freed one (80 block 4), for what
 * a server frees is always a chain's last.
 */
const expected: Readonly<Record<string, readonly number[]>> = {
  '00': [0],
  '10': [0, 1],
  '20': [0, 1],
  '30': [0, 1, 2, 4],
  '40': [0, 1, 2],
  '60': [0, 1],
  '70': [0, 1, 2],
  '80': [0, 1, 2, 3, 5, 6],
  '90': [0, 1],
  a0: [0],
  b0: [0],
  c0: [0, 1],
};

for (const major of [15, 18])
  test(`hash redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const forms = new Set<string>();

    const report = await runOracle({
      major,
      workloads: [hashWorkload],
      settings: { full_page_writes: 'off' },
      observer: (sample) => {
        forms.add(formOf(sample));
      },
    });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(unseenBlocks(report), [], formatReport(report));
    ok(report.kinds.has('Hash 50'));
    deepEqual(
      hashForms.filter((form) => !forms.has(form)),
      [],
    );
  });

function unseenBlocks(report: OracleReport): string[] {
  const names = Object.entries(expected).flatMap(([op, blocks]) =>
    blocks.map((block) => `Hash ${op} block ${block}`),
  );
  return names.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0);
}
