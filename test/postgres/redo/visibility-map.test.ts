/**
 * The visibility map's two deltas and the bits that redo sets: which bits of which bytes.
 */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import { PageHeader, initPage, pageSize } from '../../../src/postgres/page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import {
  heapBlocksPerMapPage,
  noHeapBlock,
  setVisibility,
  visibility,
  visibilityClearSize,
  visibilityMapBlock,
  visibilityTruncateSize,
  writeVisibilityClear,
  writeVisibilityTruncate,
} from '../../../src/postgres/redo/visibility-map.ts';
import { applyTo, recordValue, u32s, zeroPage } from './values.ts';

/** A map page with every bit set, as of LSN 100. */
function fullMap(): { bytes: Uint8Array; view: DataView } {
  const page = zeroPage();
  initPage(page.view, 0);
  page.bytes.fill(0xff, PageHeader.size);
  PageHeader.lsn.set(page.view, 0, lsn(100));
  return page;
}

function clear(page: Uint8Array, bits: number, first: number, second = noHeapBlock): void {
  const value = new Uint8Array(visibilityClearSize);
  writeVisibilityClear(new DataView(value.buffer), 0, bits, first, second);
  applyTo(new PageRebuilder(15), page, value, 50);
}

function truncate(page: Uint8Array, heapBlocks: number): void {
  const value = new Uint8Array(visibilityTruncateSize);
  writeVisibilityTruncate(new DataView(value.buffer), 0, heapBlocks);
  applyTo(new PageRebuilder(15), page, value, 50);
}

/** Offsets of the bytes of a full map that are not full any more, and what they hold. */
function holes(page: Uint8Array): number[][] {
  const found: number[][] = [];
  for (let at = PageHeader.size; at < pageSize; at += 1)
    if (page[at] !== 0xff) found.push([at - PageHeader.size, page[at]!]);
  return found;
}

test('visibility map: a page covers 32672 heap blocks', () => {
  equal(heapBlocksPerMapPage, 32_672);
  equal(visibilityMapBlock(32_671), 0);
  equal(visibilityMapBlock(32_672), 1);
});

test('visibility map: clearing takes both bits of one heap block', () => {
  const page = fullMap();

  clear(page.bytes, visibility.all, 5);

  deepEqual(holes(page.bytes), [[1, 0b1111_0011]]);
});

test('visibility map: clearing may take the frozen bit alone', () => {
  const page = fullMap();

  clear(page.bytes, visibility.allFrozen, 5);

  deepEqual(holes(page.bytes), [[1, 0b1111_0111]]);
});

test('visibility map: clearing takes the bits of two heap blocks', () => {
  const page = fullMap();

  clear(page.bytes, visibility.all, 32_672, 32_672 + 32_671);

  deepEqual(holes(page.bytes), [
    [0, 0b1111_1100],
    [8_167, 0b0011_1111],
  ]);
});

test('visibility map: clearing ignores and keeps the LSN of the page', () => {
  const page = fullMap();

  clear(page.bytes, visibility.all, 0);

  equal(PageHeader.lsn.get(page.view, 0), 100);
});

test('visibility map: one value does not clear bits of two pages of the map', () => {
  throws(() => {
    clear(fullMap().bytes, visibility.all, 0, heapBlocksPerMapPage);
  }, /one page of the map/);
});

test('visibility map: truncation keeps the bits of the heap blocks that remain', () => {
  const page = fullMap();

  truncate(page.bytes, 32_672 + 4 * 8_166 + 3);

  deepEqual(holes(page.bytes), [
    [8_166, 0b0011_1111],
    [8_167, 0],
  ]);
});

test('visibility map: truncation at a byte border clears from that byte on', () => {
  const page = fullMap();

  truncate(page.bytes, 4 * 8_166);

  deepEqual(holes(page.bytes), [
    [8_166, 0],
    [8_167, 0],
  ]);
});

test('visibility map: bits already set leave the LSN as it was', () => {
  const page = fullMap();

  setVisibility(page.view, 5, visibility.all, lsn(300));

  equal(PageHeader.lsn.get(page.view, 0), 100);
});

test('visibility map: setting a bit on a page of zeros makes the page first', () => {
  const page = zeroPage();
  const value = recordValue({ rmgr: 9, info: 0x40, blocks: [0, 6], main: [...u32s(500), 1] });

  applyTo(new PageRebuilder(18), page.bytes, value, 200);

  equal(PageHeader.upper.get(page.view, 0), pageSize);
  equal(PageHeader.lsn.get(page.view, 0), 200);
  equal(page.bytes[PageHeader.size + 1], 0b0001_0000);
});

test('visibility map: the catalog flag of a record is not a bit of the map', () => {
  const page = zeroPage();
  const value = recordValue({ rmgr: 9, info: 0x40, blocks: [0, 6], main: [...u32s(500), 0x07] });

  applyTo(new PageRebuilder(18), page.bytes, value, 200);

  equal(page.bytes[PageHeader.size + 1], 0b0011_0000);
});
