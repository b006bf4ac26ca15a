/**
 * The structs declared for heaps against a C compiler's idea of them
 * (test/golden/generate-layouts-redo.sh).
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { HeapTuple } from '../../../src/postgres/redo/heap-tuple.ts';
import * as prune from '../../../src/postgres/redo/heap-prune.ts';
import * as heap from '../../../src/postgres/redo/heap.ts';
import * as heap2 from '../../../src/postgres/redo/heap2.ts';

const declared: Readonly<Record<string, unknown>> = { ...heap, ...heap2, ...prune, HeapTuple };

for (const major of [15, 16, 17, 18])
  test(`layouts of heaps: declared and compiled offsets and sizes agree in ${major}`, () => {
    const file = new URL(`../../golden/layouts-heap-${major}.txt`, import.meta.url);
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
