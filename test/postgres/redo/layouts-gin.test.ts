/**
 * The structs declared for GIN against a C compiler's idea of them
 * (test/golden/generate-layouts-redo.sh).
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { GinRecompress, SegmentAction } from '../../../src/postgres/redo/gin-leaf.ts';
import { GinMeta, GinOpaque, PostingItem } from '../../../src/postgres/redo/gin-page.ts';
import { GinTid, PostingList } from '../../../src/postgres/redo/gin-posting-list.ts';
import * as gin from '../../../src/postgres/redo/gin.ts';

const declared: Readonly<Record<string, unknown>> = {
  ...gin,
  GinMeta,
  GinOpaque,
  GinRecompress,
  GinTid,
  PostingItem,
  PostingList,
  SegmentAction,
};

for (const major of [15, 16, 17, 18])
  test(`layouts of GIN: declared and compiled offsets and sizes agree in ${major}`, () => {
    const file = new URL(`../../golden/layouts-gin-${major}.txt`, import.meta.url);
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
