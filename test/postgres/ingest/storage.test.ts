/** Truncation of a relation with its maps, at every kind of boundary. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds } from '../../../src/base/key.ts';
import { lsnZero } from '../../../src/base/lsn.ts';
import { sizeFrom } from '../../../src/postgres/ingest/block-store.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { family, timeline, walRecord, words } from './records.ts';
import { type MemoryTip } from './memory-tip.ts';

const { storage } = resourceManagers;
const relation = { tablespace: 1_663, database: 5, relation: 17_000 };
const locator = [1_663, 5, 17_000] as const;
const all = 7;
/** Heap blocks one page of the visibility map covers, and one bottom page of the free-space map. */
const perMapPage = 32_672;
const perFreeSpacePage = 4_069;

/** Sizes of main fork, free-space map and visibility map after a truncation. */
function truncated(blocks: number, flags: number, before: readonly number[]): (number | null)[] {
  return sizes(truncate(blocks, flags, before));
}

function truncate(blocks: number, flags: number, before: readonly number[]): MemoryTip {
  const { tip, ingest } = timeline(18);
  before.forEach((size, fork) => {
    tip.put(tip.key(sizeOf(fork), 0), lsnZero, true, words(size));
    for (let block = 0; fork > 0 && block < size; block += 1)
      tip.put(
        tip.key({ ...sizeOf(fork), kind: keyKinds.relationBlock }, block),
        lsnZero,
        true,
        full(),
      );
  });
  ingest.record(walRecord({ rmgr: storage, info: 0x20, main: words(blocks, ...locator, flags) }));
  return tip;
}

function full(): Uint8Array {
  const value = new Uint8Array(8 + pageSize).fill(0xff, 8);
  value[0] = valueTags.image;
  return value;
}

function sizes(tip: MemoryTip): (number | null)[] {
  return [0, 1, 2].map((fork) => {
    const value = tip.value(sizeOf(fork));
    return value === null || value.length === 0 ? null : sizeFrom(value);
  });
}

function sizeOf(fork: number): ReturnType<typeof family> {
  return family(keyKinds.relationSize, { ...relation, fork });
}

test('truncate: maps end with the page that has the last heap block', () => {
  // The free-space map has two upper pages before its first bottom page.
  deepEqual(truncated(100, all, [50_000, 15, 2]), [100, 3, 1]);
  deepEqual(truncated(perMapPage + 1, all, [50_000, 15, 2]), [perMapPage + 1, 11, 2]);
});

test('truncate: at a boundary of the visibility map the page beyond goes', () => {
  deepEqual(truncated(perMapPage, all, [50_000, 15, 2])[2], 1);
  deepEqual(truncated(0, all, [50_000, 15, 2])[2], 0);
});

test('truncate: at a boundary of the free-space map the page beyond goes', () => {
  deepEqual(truncated(2 * perFreeSpacePage, all, [50_000, 15, 2])[1], 4);
  deepEqual(truncated(0, all, [50_000, 15, 2])[1], 2);
});

test('truncate: only the forks the flags name', () => {
  deepEqual(truncated(10, 1, [50_000, 15, 2]), [10, 15, 2]);
  deepEqual(truncated(10, 2, [50_000, 15, 2]), [50_000, 15, 1]);
  deepEqual(truncated(10, 4, [50_000, 15, 2]), [50_000, 3, 2]);
});

test('truncate: a fork that is shorter or not there stays so', () => {
  deepEqual(truncated(40_000, all, [9, 3]), [9, 3, null]);
});

test('truncate: a relation nobody created comes into being', () => {
  deepEqual(truncated(10, all, []), [0, null, null]);
});

test('truncate: bits of heap blocks that are gone are cleared, the others stay', () => {
  const tip = truncate(9, all, [50_000, 15, 1]);
  const page = tip.page(tip.key({ ...sizeOf(2), kind: keyKinds.relationBlock }, 0))!;

  deepEqual([...page.subarray(24, 28)], [0xff, 0xff, 0b11, 0]);
  equal(
    page.subarray(28).every((byte) => byte === 0),
    true,
  );
});

test('create: what exists keeps its size', () => {
  const { tip, ingest } = timeline(18);
  tip.put(tip.key(sizeOf(0), 0), lsnZero, true, words(12));

  ingest.record(walRecord({ rmgr: storage, info: 0x10, main: words(...locator, 0) }));
  ingest.record(walRecord({ rmgr: storage, info: 0x10, main: words(...locator, 2) }));

  deepEqual(sizes(tip), [12, null, 0]);
});
