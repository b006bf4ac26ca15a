/** Which heap records make the free-space map, and how long. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds } from '../../../src/base/key.ts';
import { lsnZero } from '../../../src/base/lsn.ts';
import { sizeFrom } from '../../../src/postgres/ingest/block-store.ts';
import { majors, type Major } from '../../../src/postgres/major.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { type WalRecord } from '../../../src/postgres/wal-record.ts';
import { family, timeline, walRecord, words } from './records.ts';

const { heap, heap2 } = resourceManagers;
const relation = { tablespace: 1_663, database: 5, relation: 17_000 };
/** Heap blocks one bottom page covers; there are two upper pages before the first. */
const perMapPage = 4_069;
const prune = 0x10;

/** A record about one block of the heap. */
function heapRecord(rmgr: number, info: number, block: number): WalRecord {
  const record = walRecord({ rmgr, info, main: new Uint8Array(16) });
  Object.assign(record.blocks[0]!, { present: true, ...relation, fork: 0, block });
  record.blockCount = 1;
  return record;
}

/** Pages of the map, null when there is none, after records about a heap of `blocks` blocks. */
function mapBlocks(
  blocks: number,
  records: readonly WalRecord[],
  major: Major = 18,
): number | null {
  const { tip, ingest } = timeline(major);
  const sizeKey = tip.key(family(keyKinds.relationSize, relation), 0);
  tip.put(sizeKey, lsnZero, true, words(blocks));
  for (const record of records) ingest.record(record);
  const size = tip.value(family(keyKinds.relationSize, { ...relation, fork: 1 }));
  return size === null ? null : sizeFrom(size);
}

test('free space: a record that frees room makes the map as long as that block needs it', () => {
  equal(mapBlocks(5, [heapRecord(heap2, prune, 4)]), 3);
  equal(mapBlocks(50_000, [heapRecord(heap2, prune, 0)]), 3);
  equal(mapBlocks(50_000, [heapRecord(heap2, prune, perMapPage)]), 4);
  equal(mapBlocks(50_000, [heapRecord(heap2, prune, 12 * perMapPage)]), 15);
});

test('free space: a heap of four blocks gets no map', () => {
  equal(mapBlocks(4, [heapRecord(heap2, prune, 3)]), null);
});

test('free space: the map only grows, and its pages are zeros', () => {
  const { tip, ingest } = timeline(18);
  tip.put(tip.key(family(keyKinds.relationSize, relation), 0), lsnZero, true, words(50_000));
  for (const block of [4 * perMapPage, 0, 4 * perMapPage + 1])
    ingest.record(heapRecord(heap2, prune, block));
  const map = family(keyKinds.relationBlock, { ...relation, fork: 1 });

  equal(sizeFrom(tip.value(family(keyKinds.relationSize, { ...relation, fork: 1 }))!), 7);
  for (let block = 0; block < 7; block += 1)
    deepEqual(tip.page(tip.key(map, block)), new Uint8Array(pageSize));
});

test('free space: a map that is long enough is left alone', () => {
  const { tip, ingest } = timeline(18);
  const map = family(keyKinds.relationBlock, { ...relation, fork: 1 });
  const value = new Uint8Array(8 + pageSize).fill(7, 8);
  value[0] = valueTags.image;
  tip.put(tip.key(family(keyKinds.relationSize, relation), 0), lsnZero, true, words(10));
  tip.put(
    tip.key(family(keyKinds.relationSize, { ...relation, fork: 1 }), 0),
    lsnZero,
    true,
    words(3),
  );
  tip.put(tip.key(map, 2), lsnZero, true, value);

  ingest.record(heapRecord(heap2, prune, 5));

  deepEqual(tip.page(tip.key(map, 2)), value.subarray(8));
});

test('free space: prune and vacuum free room, in every major; freezing until 17 does not', () => {
  const making = majors.map((major) =>
    [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70].filter(
      (op) => mapBlocks(10, [heapRecord(heap2, op, 5)], major) !== null,
    ),
  );

  deepEqual(making, [
    [0x10, 0x20],
    [0x10, 0x20],
    [0x10, 0x20, 0x30],
    [0x10, 0x20, 0x30],
  ]);
});

test('free space: inserts, updates and deletes free none', () => {
  const making = [0x00, 0x10, 0x20, 0x40, 0x60].filter(
    (op) => mapBlocks(10, [heapRecord(heap, op, 5), heapRecord(heap, op, 30)]) !== null,
  );

  deepEqual(making, []);
});
