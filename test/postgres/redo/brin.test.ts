/**
 * What the mask of BRIN indexes hides, and records that redo must refuse: samples and oracle have the
 * rest.
 */
import { deepEqual, equal, notDeepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { PageHeader } from '../../../src/postgres/page.ts';
import {
  addItem,
  indexTupleDeleteNoCompact,
  itemOffset,
  placement,
} from '../../../src/postgres/page-items.ts';
import {
  BrinSpecial,
  brinFlags,
  brinPageTypes,
  brinSpecialAt,
  initBrinMeta,
  initBrinPage,
} from '../../../src/postgres/redo/brin-page.ts';
import { maskBrin } from '../../../src/postgres/redo/masks-index.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const rmgr = 17;
const end = 4_096;
const holeAt = 4_000;

interface Page {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function brinPage(type: number): Page {
  const page = zeroPage();
  initBrinPage(page.view, type);
  return page;
}

function redo(page: Page, parts: RecordParts): void {
  applyTo(new PageRebuilder(18), page.bytes, recordValue({ rmgr, ...parts }), end);
}

function refuses(page: Page, parts: RecordParts): void {
  throws(
    () => {
      redo(page, parts);
    },
    (error) => error instanceof Failure && error.code === 'redo_failed',
  );
}

for (const [name, type, alike] of [
  ['regular page', brinPageTypes.regular, true],
  ['page of the range map', brinPageTypes.rangeMap, false],
] as const)
  test(`brin: a ${name} is compared with what lies between its bounds: ${!alike}`, () => {
    const [page, other] = [brinPage(type), brinPage(type)];
    other.view.setUint8(holeAt, 1);

    for (const { view } of [page, other]) maskBrin(view);

    (alike ? deepEqual : notDeepEqual)(page.bytes, other.bytes);
  });

test('brin: a metapage without its lower bound is compared whole', () => {
  const [page, other] = [zeroPage(), zeroPage()];
  for (const { view } of [page, other]) {
    initBrinMeta(view, 128, 1);
    PageHeader.lower.set(view, 0, PageHeader.size);
  }
  other.view.setUint8(PageHeader.size, 1);

  for (const { view } of [page, other]) maskBrin(view);

  notDeepEqual(page.bytes, other.bytes);
});

test('brin: a page that is being evacuated compares as if it were not', () => {
  const [page, other] = [brinPage(brinPageTypes.regular), brinPage(brinPageTypes.regular)];
  BrinSpecial.flags.set(other.view, brinSpecialAt, brinFlags.evacuate);

  for (const { view } of [page, other]) maskBrin(view);

  deepEqual(page.bytes, other.bytes);
});

test('brin: the last range of a page of the map has its place, and the next begins it again', () => {
  const page = brinPage(brinPageTypes.rangeMap);
  const insert = { info: 0x10, blockId: 1, blocks: [0x1_0002, 1] };
  const last = PageHeader.size + 1_359 * 6;

  redo(page, { ...insert, main: [...u32s(1_359 * 2, 2), ...u16s(5)] });

  deepEqual([...page.bytes.subarray(last, last + 6)], u16s(1, 2, 5));

  PageHeader.lsn.set(page.view, 0, PageHeader.lsn.get(zeroPage().view, 0));
  redo(page, { ...insert, main: [...u32s(1_360 * 2, 2), ...u16s(6)] });

  deepEqual([...page.bytes.subarray(PageHeader.size, PageHeader.size + 6)], u16s(1, 2, 6));
});

test('brin: a metapage whose lower bound was never set has it when the range map grows', () => {
  const page = zeroPage();
  initBrinMeta(page.view, 128, 1);
  PageHeader.lower.set(page.view, 0, PageHeader.size);

  redo(page, { info: 0x40, blocks: [0, 2], main: u32s(2) });

  equal(PageHeader.lower.get(page.view, 0), PageHeader.size + 16);
});

test('brin: a summary takes an unused slot, and those behind it keep theirs', () => {
  const page = brinPage(brinPageTypes.regular);
  for (let slot = 1; slot <= 3; slot += 1)
    addItem(page.view, slot, new Uint8Array(u32s(slot, 0)), placement.shuffle);
  indexTupleDeleteNoCompact(page.view, 2);
  const insert = { info: 0x10, blocks: [3, 1], main: [...u32s(7, 1), ...u16s(2)] };

  redo(page, { ...insert, data: u32s(22, 0) });

  const heapBlocks = [1, 2, 3].map((slot) =>
    page.view.getUint32(itemOffset(page.view, slot), true),
  );
  deepEqual(heapBlocks, [1, 22, 3]);
});

test('brin: ranges of no pages are refused', () => {
  const main = [...u32s(7, 0), ...u16s(1)];

  refuses(brinPage(brinPageTypes.rangeMap), { info: 0x10, blockId: 1, blocks: [3, 1], main });
});

test('brin: a page of another type than the record changes is refused', () => {
  const insert = {
    info: 0x10,
    blocks: [3, 1],
    main: [...u32s(7, 1), ...u16s(1)],
    data: u32s(7, 0),
  };

  refuses(brinPage(brinPageTypes.rangeMap), { ...insert, blockId: 0 });
  refuses(brinPage(brinPageTypes.regular), { ...insert, blockId: 1 });
});

test('brin: a summary of no bytes, or at a slot that leaves a gap, is refused', () => {
  const page = brinPage(brinPageTypes.regular);
  const insert = { info: 0x10, blocks: [3, 1] };

  refuses(page, { ...insert, main: [...u32s(7, 1), ...u16s(1)] });
  refuses(page, { ...insert, main: [...u32s(7, 1), ...u16s(2)], data: u32s(7, 0) });
});

test('brin: a record for a block its kind does not have, or without its struct, is refused', () => {
  const page = brinPage(brinPageTypes.regular);

  refuses(page, { info: 0x30, blockId: 1, blocks: [1, 2], main: u16s(1), data: u32s(7, 0) });
  refuses(page, { info: 0x10, blocks: [3, 1], main: u32s(7, 1), data: u32s(7, 0) });
});
