/**
 * The structs declared for GiST and SP-GiST against a C compiler's idea of them
 * (test/golden/generate-layouts-redo.sh).
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { majors, type Major } from '../../../src/postgres/major.ts';
import * as gistPage from '../../../src/postgres/redo/gist-page.ts';
import * as gist from '../../../src/postgres/redo/gist.ts';
import * as spgistPage from '../../../src/postgres/redo/spgist-page.ts';
import * as picksplit from '../../../src/postgres/redo/spgist-picksplit.ts';
import * as vacuum from '../../../src/postgres/redo/spgist-vacuum.ts';
import * as spgist from '../../../src/postgres/redo/spgist.ts';

const declared: Readonly<Record<string, unknown>> = {
  ...gist,
  ...gistPage,
  ...spgist,
  ...spgistPage,
  ...picksplit,
  ...vacuum,
};

for (const major of majors)
  test(`layouts of GiST and SP-GiST: declared and compiled agree in ${major}`, () => {
    const file = new URL(`../../golden/layouts-gist-${major}.txt`, import.meta.url);
    const compiled = readFileSync(file, 'utf8').trimEnd().split('\n');

    const ours = compiled.map((line) => ourLine(line.split(' ')[0]!, major));

    deepEqual(ours, compiled);
  });

/** The declared struct, field or size, printed as the C program prints it. */
function ourLine(name: string, major: Major): string {
  const [structName, fieldName] = name.split('.') as [string, string | undefined];
  if (structName.endsWith('At'))
    return `${name} ${(declared[structName] as Readonly<Record<Major, number>>)[major]}`;
  const struct = declared[structName] as Record<string, Field<unknown>> & { size: number };
  if (fieldName === undefined) return `${name} size ${struct.size}`;
  const { offset, size } = struct[fieldName]!;
  return `${name} ${offset} ${size}`;
}
