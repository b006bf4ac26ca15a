/**
 * The free-space map's delta: slots that go, and the tree of maxima above them.
 */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { initPage, pageSize } from '../../../src/postgres/page.ts';
import {
  freeSpaceMapBlock,
  freeSpaceSlot,
  freeSpaceTruncateSize,
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
