/**
 * Redo of GIN against Postgres's own functions, compiled into a program that drives them at random
 * (test/golden/gin-redo.c): all actions on segments, TIDs at distances of all widths, leaves from
 * before 9.4, inner pages up to full ones, entries.
 */
import { deepEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { applyTo, recordValue, u16s, u32s } from './values.ts';

const rmgr = resourceManagers.gin;
const file = new URL('../../golden/gin-redo.txt.gz', import.meta.url);
const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n');
const isLeaf = 2;
const lsnSize = 8;

for (const kind of ['leaf', 'inner', 'entry', 'delete'])
  test(`gin: ${kind} records make the pages that Postgres's functions make`, () => {
    const steps = replayed().filter((step) => step.kind === kind);

    const wrong = steps.filter(({ hash, wanted }) => hash !== wanted);

    deepEqual(wrong, []);
    deepEqual(steps.length > 50, true);
  });

interface Step {
  readonly kind: string;
  readonly line: number;
  readonly hash: string;
  readonly wanted: string;
}

/** Every record of the file, with the hash of our page after it. */
function replayed(): readonly Step[] {
  const rebuilder = new PageRebuilder(15);
  const steps: Step[] = [];
  let page = new Uint8Array();
  lines.forEach((text, line) => {
    const [kind, ...words] = text.split(' ') as [string, ...string[]];
    if (kind === 'page') page = hex(words[0]!);
    else {
      const value = kind === 'delete' ? deletion(words) : insertion(words);
      applyTo(rebuilder, page, value, line + 1);
      steps.push({ kind, line, hash: hashOf(page), wanted: words.at(-1)! });
    }
  });
  return steps;
}

function insertion([flags, right, data]: readonly string[]): Uint8Array {
  const child = Number(right);
  const children = [...u16s(0, 0), ...u16s(child >>> 16, child & 0xffff)];
  const main = [...u16s(Number(flags)), ...((Number(flags) & isLeaf) === 0 ? children : [])];
  return recordValue({ rmgr, info: 0x20, blocks: [1, 2], main, data: [...hex(data!)] });
}

function deletion([slot]: readonly string[]): Uint8Array {
  const main = [...u16s(Number(slot), 0), ...u32s(0, 0)];
  return recordValue({ rmgr, info: 0x50, blockId: 1, blocks: [1, 2, 3], main });
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** FNV-1a of all but the LSN. */
function hashOf(page: Uint8Array): string {
  let hash = 2_166_136_261;
  for (const byte of page.subarray(lsnSize)) hash = Math.imul(hash ^ byte, 16_777_619) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
