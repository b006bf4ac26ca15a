/**
 * The structs declared for B-trees and sequences against a C compiler's idea of them
 * (test/golden/generate-layouts-redo.sh).
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { BtreeDedup, Interval } from '../../../src/postgres/redo/btree-dedup.ts';
import { BtreeMeta, BtreeOpaque, IndexTuple } from '../../../src/postgres/redo/btree-page.ts';
import * as btree from '../../../src/postgres/redo/btree.ts';
import { SequenceRecord } from '../../../src/postgres/redo/sequence.ts';

const declared: Readonly<Record<string, unknown>> = {
  ...btree,
  BtreeDedup,
  BtreeMeta,
  BtreeOpaque,
  IndexTuple,
  Interval,
  SequenceRecord,
};

for (const major of [15, 16, 17, 18])
  test(`layouts of B-trees: declared and compiled offsets and sizes agree in ${major}`, () => {
    const file = new URL(`../../golden/layouts-btree-${major}.txt`, import.meta.url);
    const compiled = readFileSync(file, 'utf8').trimEnd().split('\n');

    const ours = compiled.map((line) => ourLine(line.split(' ')[0]!));

    deepEqual(ours, compiled);
  });

/** The declared struct or field, printed as the C program prints it. */
function ourLine(name: string): string {
  const [structName, fieldName] = name.split('.') as [string, string | undefined];
  const struct = declared[structName] as Record<string, Field<unknown>> & { size: number };
  if (fieldName === undefined) return `${name} size ${struct.size}`;
  const { offset, size } = struct[fieldName]!;
  return `${name} ${offset} ${size}`;
}
