/**
 * The structs declared for each resource manager against a C compiler's idea of them
 * (test/golden/generate-layouts-redo.sh).
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Field } from '../../../src/base/struct.ts';
import { majors, type Major } from '../../../src/postgres/major.ts';
import * as brinPage from '../../../src/postgres/redo/brin-page.ts';
import * as brin from '../../../src/postgres/redo/brin.ts';
import * as btreeDedup from '../../../src/postgres/redo/btree-dedup.ts';
import * as btreePage from '../../../src/postgres/redo/btree-page.ts';
import * as btree from '../../../src/postgres/redo/btree.ts';
import * as ginLeaf from '../../../src/postgres/redo/gin-leaf.ts';
import * as ginPage from '../../../src/postgres/redo/gin-page.ts';
import * as ginPostingList from '../../../src/postgres/redo/gin-posting-list.ts';
import * as gin from '../../../src/postgres/redo/gin.ts';
import * as gistPage from '../../../src/postgres/redo/gist-page.ts';
import * as gist from '../../../src/postgres/redo/gist.ts';
import * as hashPage from '../../../src/postgres/redo/hash-page.ts';
import * as hash from '../../../src/postgres/redo/hash.ts';
import * as heapPrune from '../../../src/postgres/redo/heap-prune.ts';
import * as heapTuple from '../../../src/postgres/redo/heap-tuple.ts';
import * as heap from '../../../src/postgres/redo/heap.ts';
import * as heap2 from '../../../src/postgres/redo/heap2.ts';
import * as indexTuple from '../../../src/postgres/redo/index-tuple.ts';
import * as sequence from '../../../src/postgres/redo/sequence.ts';
import * as spgistPage from '../../../src/postgres/redo/spgist-page.ts';
import * as spgistPicksplit from '../../../src/postgres/redo/spgist-picksplit.ts';
import * as spgistVacuum from '../../../src/postgres/redo/spgist-vacuum.ts';
import * as spgist from '../../../src/postgres/redo/spgist.ts';

const brinStructs = { ...brin, ...brinPage };
const btreeStructs = { ...btree, ...btreeDedup, ...btreePage, ...indexTuple, ...sequence };
const ginStructs = { ...gin, ...ginLeaf, ...ginPage, ...ginPostingList };
const gistStructs = {
  ...gist,
  ...gistPage,
  ...spgist,
  ...spgistPage,
  ...spgistPicksplit,
  ...spgistVacuum,
};
const hashStructs = { ...hash, ...hashPage };
const heapStructs = { ...heap, ...heap2, ...heapPrune, ...heapTuple };

/** By what the golden file and the C program are called after. */
const declared: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  brin: brinStructs,
  btree: btreeStructs,
  gin: ginStructs,
  gist: gistStructs,
  hash: hashStructs,
  heap: heapStructs,
};

for (const [what, structs] of Object.entries(declared))
  for (const major of majors)
    test(`layouts of ${what}: declared and compiled offsets and sizes agree in ${major}`, () => {
      const file = new URL(`../../golden/layouts-${what}-${major}.txt`, import.meta.url);
      const compiled = readFileSync(file, 'utf8').trimEnd().split('\n');

      const ours = compiled.map((line) => declaredLine(structs, line.split(' ')[0]!, major));

      deepEqual(ours, compiled);
    });

/** The declared struct, field or size by major, printed as the C program prints it. */
function declaredLine(
  structs: Readonly<Record<string, unknown>>,
  name: string,
  major: Major,
): string {
  const [structName, fieldName] = name.split('.') as [string, string | undefined];
  if (structName.endsWith('At'))
    return `${name} ${(structs[structName] as Readonly<Record<Major, number>>)[major]}`;
  const struct = structs[structName] as Record<string, Field<unknown>> & { size: number };
  if (fieldName === undefined) return `${name} size ${struct.size}`;
  const { offset, size } = struct[fieldName]!;
  return `${name} ${offset} ${size}`;
}
