/**
 * Redo of hash indexes against stock Postgres: every page after every record, every op code, and
 * every form of the records that have several.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { BlockRecord } from '../../../src/postgres/page-value.ts';
import {
  HashAddOverflow,
  HashDelete,
  HashMove,
  HashSplitAllocate,
  HashSqueeze,
} from '../../../src/postgres/redo/hash.ts';
import { hashWorkload } from './hash-workload.ts';
import { type OracleReport, type RedoSample } from './oracle-replay.ts';
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

/** Forms that must have been seen, as `formOf` names them. */
const expectedForms = [
  'add bitmapFound=0',
  'add bitmapFound=1',
  'allocate flags=0',
  'allocate flags=2',
  'allocate flags=3',
  'delete clearDeadMarking=0 isPrimary=0',
  'delete clearDeadMarking=0 isPrimary=1',
  'delete clearDeadMarking=1 isPrimary=0',
  'delete clearDeadMarking=1 isPrimary=1',
  'move targetIsPrimary=0',
  'move targetIsPrimary=1',
  'squeeze some targetIsPrimary=0 targetIsPrevious=0',
  'squeeze some targetIsPrimary=0 targetIsPrevious=1',
  'squeeze some targetIsPrimary=1 targetIsPrevious=0',
  'squeeze some targetIsPrimary=1 targetIsPrevious=1',
  'squeeze none targetIsPrimary=0 targetIsPrevious=0',
  'squeeze none targetIsPrimary=0 targetIsPrevious=1',
  'squeeze none targetIsPrimary=1 targetIsPrevious=0',
  'squeeze none targetIsPrimary=1 targetIsPrevious=1',
];

for (const major of [15, 18])
  test(`hash redo: every page is as Postgres ${major} made it, after every record`, async () => {
    const forms = new Set<string>();

    const report = await runOracle({
      major,
      workloads: [hashWorkload],
      settings: { full_page_writes: 'off' },
      observer: (sample) => {
        forms.add(formOf(major, sample));
      },
    });

    equal(report.mismatched, 0, formatReport(report));
    deepEqual(unseenBlocks(report), [], formatReport(report));
    ok(report.kinds.has('Hash 50'));
    deepEqual(
      expectedForms.filter((form) => !forms.has(form)),
      [],
    );
  });

function unseenBlocks(report: OracleReport): string[] {
  const names = Object.entries(expected).flatMap(([op, blocks]) =>
    blocks.map((block) => `Hash ${op} block ${block}`),
  );
  return names.filter((name) => (report.blocks.get(name)?.compared ?? 0) === 0);
}

/** What kind of record it is and how it differs from others of its kind. */
function formOf(major: number, { name, value, end }: RedoSample): string {
  const record = new BlockRecord();
  record.major = major;
  record.moveTo(new DataView(value.buffer, value.byteOffset, value.length), 0, end);
  const { view, main } = record;
  switch (name.slice(0, 'Hash 00'.length)) {
    case 'Hash 30':
      return `add ${fields(record, HashAddOverflow, 'bitmapFound')}`;
    case 'Hash 40':
      return `allocate ${fields(record, HashSplitAllocate, 'flags')}`;
    case 'Hash 70':
      return `move ${fields(record, HashMove, 'targetIsPrimary')}`;
    case 'Hash 80': {
      const tuples = HashSqueeze.tupleCount.get(view, main) > 0 ? 'some' : 'none';
      const flags = fields(record, HashSqueeze, 'targetIsPrimary', 'targetIsPrevious');
      return `squeeze ${tuples} ${flags}`;
    }
    case 'Hash 90':
      return `delete ${fields(record, HashDelete, 'clearDeadMarking', 'isPrimary')}`;
    default:
      return '';
  }
}

/** Fields of a record's main data, with their values. */
function fields<Name extends string>(
  { view, main }: BlockRecord,
  struct: Readonly<Record<Name, Field<number>>>,
  ...names: readonly Name[]
): string {
  return names.map((name) => `${name}=${struct[name].get(view, main)}`).join(' ');
}
