/** Which bits of the visibility map each heap record clears. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds } from '../../../src/base/key.ts';
import { lsnZero } from '../../../src/base/lsn.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { type WalRecord } from '../../../src/postgres/wal-record.ts';
import { family, timeline, walRecord } from './records.ts';
import { type MemoryTip } from './memory-tip.ts';

const { heap, heap2 } = resourceManagers;
const relation = { tablespace: 1_663, database: 5, relation: 17_000 };
const map = family(keyKinds.relationBlock, { ...relation, fork: 2 });
/** Heap blocks one page of the map covers. */
const perMapPage = 32_672;

/** A record whose main data is `flags` after `before` other bytes, about the given heap blocks. */
function heapRecord(
  op: readonly [rmgr: number, info: number, before: number],
  flags: number,
  ...blocks: readonly number[]
): WalRecord {
  const [rmgr, info, before] = op;
  const main = new Uint8Array(before + 1 + 6);
  main[before] = flags;
  const record = walRecord({ rmgr, info, main });
  blocks.forEach((block, id) => {
    Object.assign(record.blocks[id]!, { present: true, block, ...relation });
  });
  record.blockCount = blocks.length;
  return record;
}

/** Ingests the record where all bits of a map of `mapPages` pages are set; the bits it cleared. */
function cleared(record: WalRecord, mapPages = 2): string[] {
  const { tip, ingest } = timeline(18);
  const value = new Uint8Array(8 + pageSize).fill(0xff, 8);
  value[0] = valueTags.image;
  for (let block = 0; block < mapPages; block += 1)
    tip.put(tip.key(map, block), lsnZero, true, value);
  const size = new Uint8Array(4);
  size[0] = mapPages;
  const sizeKey = family(keyKinds.relationSize, { ...relation, fork: 2 });
  tip.put(tip.key(sizeKey, 0), lsnZero, true, mapPages === 0 ? new Uint8Array(0) : size);
  ingest.record(record);
  return clearedBits(tip, mapPages);
}

/** `<heap block>v` for all-visible, `<heap block>f` for all-frozen. */
function clearedBits(tip: MemoryTip, mapPages: number): string[] {
  const found: string[] = [];
  for (let block = 0; block < mapPages; block += 1) {
    const page = tip.page(tip.key(map, block))!;
    page.forEach((byte, at) => {
      for (let bit = 0; bit < 8; bit += 1) {
        if ((byte & (1 << bit)) !== 0) continue;
        const heapBlock = block * perMapPage + (at - 24) * 4 + (bit >> 1);
        found.push(`${heapBlock}${bit % 2 === 0 ? 'v' : 'f'}`);
      }
    });
  }
  return found;
}

const insert = [heap, 0x00, 2] as const;
const update = [heap, 0x20, 7] as const;
const hotUpdate = [heap, 0x40, 7] as const;

test('visibility: an insert clears both bits of its block', () => {
  deepEqual(cleared(heapRecord(insert, 1, 6)), ['6v', '6f']);
  deepEqual(cleared(heapRecord([heap, 0x80, 2], 1, perMapPage + 1)), ['32673v', '32673f']);
});

test('visibility: a record without the flag clears nothing', () => {
  deepEqual(cleared(heapRecord(insert, 0xfe, 6)), []);
});

test('visibility: a delete and a multi-insert clear both bits of their block', () => {
  deepEqual(cleared(heapRecord([heap, 0x10, 7], 1, 5)), ['5v', '5f']);
  deepEqual(cleared(heapRecord([heap2, 0x50, 0], 1, 5)), ['5v', '5f']);
});

test('visibility: an update has a flag each for the old and the new block', () => {
  for (const op of [update, hotUpdate]) {
    deepEqual(cleared(heapRecord(op, 1, 3, 4)), ['4v', '4f']);
    deepEqual(cleared(heapRecord(op, 2, 3, 4)), ['3v', '3f']);
    deepEqual(cleared(heapRecord(op, 3, 3, perMapPage)), ['3v', '3f', '32672v', '32672f']);
  }
});

test('visibility: an update within one block has only that block', () => {
  deepEqual(cleared(heapRecord(hotUpdate, 1, 3)), ['3v', '3f']);
});

test('visibility: row locks clear only all-frozen', () => {
  deepEqual(cleared(heapRecord([heap, 0x60, 7], 1, 9)), ['9f']);
  deepEqual(cleared(heapRecord([heap2, 0x60, 7], 1, 9)), ['9f']);
});

test('visibility: other records clear nothing', () => {
  for (const info of [0x30, 0x50, 0x70])
    deepEqual(cleared(heapRecord([heap, info, 0], 0xff, 1)), []);
  for (const info of [0x00, 0x10, 0x20, 0x30, 0x40, 0x70])
    deepEqual(cleared(heapRecord([heap2, info, 0], 0xff, 1)), []);
});

test('visibility: a map that has no such page, or does not exist, is left as it is', () => {
  const { tip, ingest } = timeline(18);

  deepEqual(cleared(heapRecord(insert, 1, 2 * perMapPage)), []);
  ingest.record(heapRecord(insert, 1, 6));

  equal(tip.value(family(keyKinds.relationSize, { ...relation, fork: 2 })), null);
});
