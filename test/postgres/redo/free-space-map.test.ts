/**
 * The free-space map's pages: where each stands, what its slots say, and the delta that empties some.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { initPage, PageHeader, pageSize } from '../../../src/postgres/page.ts';
import {
  clearFreeSpaceSlots,
  freeSpaceCategory,
  freeSpaceMapBlock,
  freeSpacePlace,
  freeSpaceSlot,
  freeSpaceTruncateSize,
  heapPageCategory,
  largestFreeSpace,
  rebuildFreeSpaceTree,
  setFreeSpaceSlot,
  slotsPerFreeSpacePage,
  writeFreeSpaceTruncate,
} from '../../../src/postgres/redo/free-space-map.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { applyTo, zeroPage } from './values.ts';

const nodesAt = 28;
const innerCount = 4_095;

function truncated(page: Uint8Array, slots: number): void {
  const value = new Uint8Array(freeSpaceTruncateSize);
  writeFreeSpaceTruncate(new DataView(value.buffer), 0, slots);
  applyTo(new PageRebuilder(15), page, value, 50);
}

/** Sets a slot and, up to the root, every maximum above it. */
function setSlot(page: Uint8Array, slot: number, value: number): void {
  for (let node = innerCount + slot; ; node = (node - 1) >> 1) {
    page[nodesAt + node] = Math.max(page[nodesAt + node]!, value);
    if (node === 0) return;
  }
}

test('free-space map: a bottom page covers 4069 heap blocks', () => {
  equal(slotsPerFreeSpacePage, 4_069);
});

test('free-space map: the first bottom page is block 2, below the root and one inner page', () => {
  equal(freeSpaceMapBlock(0), 2);
  equal(freeSpaceMapBlock(4_068), 2);
  equal(freeSpaceMapBlock(4_069), 3);
  equal(freeSpaceSlot(4_070), 1);
});

test('free-space map: every 4069 bottom pages another inner page comes between', () => {
  equal(freeSpaceMapBlock(4_069 * 4_068), 4_070);
  equal(freeSpaceMapBlock(4_069 * 4_069), 4_072);
});

test('free-space map: blocks are numbered as Postgres numbers them, level by level', () => {
  deepEqual(
    [0, 1, 2, 3, 4_070, 4_071, 4_072].map((block) => freeSpacePlace(block)),
    [
      { level: 2, page: 0 },
      { level: 1, page: 0 },
      { level: 0, page: 0 },
      { level: 0, page: 1 },
      { level: 0, page: 4_068 },
      { level: 1, page: 1 },
      { level: 0, page: 4_069 },
    ],
  );
});

test('free-space map: every bottom page is where the blocks it covers say', () => {
  for (let page = 0; page < 20_000; page += 1)
    deepEqual(freeSpacePlace(freeSpaceMapBlock(page * 4_069 + (page % 4_069))), { level: 0, page });
  const last = 2 ** 32 - 2;
  equal(freeSpacePlace(freeSpaceMapBlock(last)).page, Math.floor(last / 4_069));
});

test('free-space map: a category is 32 bytes, and the highest is for room for any tuple', () => {
  const free = [0, 31, 32, 63, 64, 4_000, 8_127, 8_128, 8_159, 8_160, 8_168];

  deepEqual(free.map(freeSpaceCategory), [0, 0, 1, 1, 2, 125, 253, 254, 254, 255, 255]);
});

test('free-space map: a heap page has what a tuple with its line pointer may take', () => {
  const { view } = zeroPage();
  const never = heapPageCategory(view);
  initPage(view, 0);
  const empty = heapPageCategory(view);
  PageHeader.upper.set(view, 0, 24 + 4 + 96);
  const some = heapPageCategory(view);
  PageHeader.upper.set(view, 0, 24 + 4 + 95);

  deepEqual([never, empty, some, heapPageCategory(view)], [255, 255, 3, 2]);
});

test('free-space map: a slot that is set makes the page, and says whether it was another', () => {
  const { bytes, view } = zeroPage();

  equal(setFreeSpaceSlot(view, 7, 0), false);
  deepEqual(bytes, new Uint8Array(pageSize));
  equal(setFreeSpaceSlot(view, 7, 9), true);
  equal(setFreeSpaceSlot(view, 7, 9), false);
  deepEqual([PageHeader.lower.get(view, 0), PageHeader.upper.get(view, 0)], [24, pageSize]);
});

test('free-space map: a rebuilt tree is one of maxima, up to the largest', () => {
  const { bytes, view } = zeroPage();
  initPage(view, 0);
  const expected = bytes.slice();
  for (const [slot, value] of [
    [0, 3],
    [17, 90],
    [4_068, 41],
  ] as const) {
    setSlot(expected, slot, value);
    setFreeSpaceSlot(view, slot, value);
  }

  rebuildFreeSpaceTree(view);

  deepEqual(bytes, expected);
  equal(largestFreeSpace(view), 90);
});

test('free-space map: slots are emptied from one on', () => {
  const { bytes, view } = zeroPage();
  initPage(view, 0);
  setFreeSpaceSlot(view, 9, 10);
  const expected = bytes.slice();
  setFreeSpaceSlot(view, 10, 20);
  setFreeSpaceSlot(view, 4_068, 30);

  equal(clearFreeSpaceSlots(view, 10), true);
  equal(clearFreeSpaceSlots(view, 10), false);
  deepEqual(bytes, expected);
});

test('free-space map: truncation leaves the tree as if the slots had never been set', () => {
  const page = zeroPage();
  initPage(page.view, 0);
  setSlot(page.bytes, 3, 40);
  setSlot(page.bytes, 9, 10);
  const expected = page.bytes.slice();
  setSlot(page.bytes, 10, 200);
  setSlot(page.bytes, 4_068, 90);

  truncated(page.bytes, 10);

  deepEqual(page.bytes, expected);
});

test('free-space map: a page of zeros stays one', () => {
  const page = zeroPage();

  truncated(page.bytes, 10);

  deepEqual(page.bytes, new Uint8Array(pageSize));
});
