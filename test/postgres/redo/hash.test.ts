/**
 * What of hash indexes no workload reaches (samples and oracle have the rest), what differs between
 * majors, what their mask hides, and records that redo must refuse.
 */
import { deepEqual, equal, notDeepEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../src/base/failure.ts';
import { u32 } from '../../../src/base/struct.ts';
import { PageHeader, initPage, pageSize } from '../../../src/postgres/page.ts';
import { addItem, itemFlagsOf, markItemDead, slotCount } from '../../../src/postgres/page-items.ts';
import {
  HashMeta,
  HashOpaque,
  hashFlags,
  hashMetaAt,
  initHashBitmap,
  initHashMeta,
  initHashPage,
  opaqueAt,
} from '../../../src/postgres/redo/hash-page.ts';
import { maskHash } from '../../../src/postgres/redo/masks-index.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage, type RecordParts } from './values.ts';

const rmgr = 12;
const noBlock = 0xffff_ffff;
const end = 4_096;
const bitmapSize = 4_096;
/** An index tuple of 16 bytes: its TID, its size, its hash. */
const tuple = [...u16s(0, 1, 1, 16), ...u32s(0x1234, 0)];

interface Page {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function metaPage(): Page {
  const page = zeroPage();
  initHashMeta(page.view, 100, 450, 40);
  return page;
}

/** A bucket's primary page with this many tuples. */
function bucketPage(tuples: number): Page {
  const page = zeroPage();
  initHashPage(page.view, 3, 3, hashFlags.bucket);
  for (let slot = 1; slot <= tuples; slot += 1) addItem(page.view, slot, new Uint8Array(tuple), 0);
  return page;
}

function redo(page: Page, parts: RecordParts, major = 18): void {
  applyTo(new PageRebuilder(major), page.bytes, recordValue({ rmgr, ...parts }), end);
}

function refuses(page: Page, parts: RecordParts, major = 18): void {
  throws(
    () => {
      redo(page, parts, major);
    },
    (error) => error instanceof Failure && error.code === 'redo_failed',
  );
}

function stamp({ view }: Page): number {
  return PageHeader.lsn.get(view, 0);
}

const addWithBitmap = { info: 0x30, blocks: [50, 7, null, 51, 0], main: [...u16s(bitmapSize), 0] };

test('hash: a new bitmap page says that all overflow pages it stands for are in use', () => {
  const page = zeroPage();

  redo(page, { ...addWithBitmap, blockId: 3, willInit: true });

  const bits = page.bytes.subarray(PageHeader.size, PageHeader.size + bitmapSize);
  deepEqual(new Set(bits), new Set([0xff]));
  equal(page.view.getUint8(PageHeader.size + bitmapSize), 0);
  equal(PageHeader.lower.get(page.view, 0), PageHeader.size + bitmapSize);
  equal(HashOpaque.flags.get(page.view, opaqueAt), hashFlags.bitmap);
  equal(stamp(page), end);
});

test('hash: the metapage counts a new bitmap page as an overflow page and lists it', () => {
  const page = metaPage();
  const meta = hashMetaAt(page.view);
  const splitpoint = HashMeta.splitpoint.get(page.view, meta);
  const spares = meta + HashMeta.spares.offset + splitpoint * u32.size;
  const before = u32.read(page.view, spares);

  redo(page, { ...addWithBitmap, blockId: 4, data: u32s(9) });

  equal(u32.read(page.view, spares), before + 2);
  equal(HashMeta.bitmapCount.get(page.view, meta), 1);
  equal(u32.read(page.view, meta + HashMeta.bitmaps.offset), 51);
  equal(HashMeta.firstFree.get(page.view, meta), 9);
});

const squeeze = { info: 0x80, blocks: [7, 8, 9, 10, 11, 12, 0] };
/** `xl_hash_squeeze_page`: pages before and after, tuples, and whether the target is a bucket's. */
function squeezeMain(tuples: number, isPrimary: number, isPrevious: number): number[] {
  return [...u32s(10, 11), ...u16s(tuples), isPrimary, isPrevious];
}

test('hash: the page behind a freed one is linked to the page before it', () => {
  const page = bucketPage(0);

  redo(page, { ...squeeze, blockId: 4, main: squeezeMain(0, 1, 0) });

  equal(HashOpaque.previous.get(page.view, opaqueAt), 10);
  equal(stamp(page), end);
});

for (const [major, expected] of [
  [15, end],
  [16, end],
  [17, 0],
  [18, 0],
] as const)
  test(`hash: a squeeze that moves no tuple stamps its target in ${major}: ${expected > 0}`, () => {
    const page = bucketPage(3);
    const before = page.bytes.slice();

    redo(page, { ...squeeze, blockId: 1, main: squeezeMain(0, 1, 0) }, major);

    equal(stamp(page), expected);
    deepEqual(page.bytes.subarray(8), before.subarray(8));
  });

for (const [info, main] of [
  [0x70, [...u16s(1), 0]],
  [0x80, squeezeMain(1, 0, 0)],
  [0x90, [0, 0]],
] as const)
  test(`hash: the page that record ${info.toString(16)} only locks stays as it is`, () => {
    const page = bucketPage(3);
    const before = page.bytes.slice();

    redo(page, { info, blockId: 0, blocks: [7, 8, 9, 10, 11, 12, 0], main });

    deepEqual(page.bytes, before);
  });

for (const [major, count] of [
  [15, u32s(2)],
  [16, [...u16s(2), 1, 0]], // of a catalog
  [18, [...u16s(2), 1, 0]],
] as const)
  test(`hash: vacuum of one page deletes what ${major} counts`, () => {
    const main = [...u32s(700), ...count, ...u16s(1, 3)];
    const [page, meta] = [bucketPage(3), metaPage()];
    const record = { info: 0xc0, blocks: [7, 0], main };

    redo(page, { ...record, blockId: 0 }, major);
    redo(meta, { ...record, blockId: 1 }, major);

    equal(slotCount(page.view), 1);
    equal(HashMeta.tupleCount.get(meta.view, hashMetaAt(meta.view)), -2);
  });

test('hash: vacuum of one page leaves no hint that tuples are dead', () => {
  const page = bucketPage(1);
  HashOpaque.flags.set(page.view, opaqueAt, hashFlags.bucket | hashFlags.hasDeadTuples);

  redo(page, { info: 0xc0, blocks: [7, 0], main: [...u32s(700), ...u16s(1, 0), ...u16s(1)] });

  equal(HashOpaque.flags.get(page.view, opaqueAt), hashFlags.bucket);
});

test('hash: a deletion leaves no hint that tuples are dead if it says so', () => {
  const [kept, cleared] = [bucketPage(2), bucketPage(2)];
  for (const { view } of [kept, cleared])
    HashOpaque.flags.set(view, opaqueAt, hashFlags.bucket | hashFlags.hasDeadTuples);
  const record = { info: 0x90, blockId: 1, blocks: [null, 7], data: u16s(1) };

  redo(kept, { ...record, main: [0, 1] });
  redo(cleared, { ...record, main: [1, 1] });

  equal(HashOpaque.flags.get(kept.view, opaqueAt), hashFlags.bucket | hashFlags.hasDeadTuples);
  equal(HashOpaque.flags.get(cleared.view, opaqueAt), hashFlags.bucket);
});

test('hash: a freed page is an empty one that belongs to no bucket', () => {
  const page = bucketPage(3);

  redo(page, { ...squeeze, blockId: 2, main: squeezeMain(0, 1, 0) });

  const { previous, next, bucket, flags } = HashOpaque;
  const fields = [previous, next, bucket, flags].map((field) => field.get(page.view, opaqueAt));
  deepEqual(fields, [noBlock, noBlock, noBlock, hashFlags.unused]);
  equal(slotCount(page.view), 0);
});

test('hash: what a freed page held does not count in comparisons', () => {
  const [page, other] = [zeroPage(), zeroPage()];
  for (const { view } of [page, other]) initHashPage(view, noBlock, noBlock, hashFlags.unused);
  other.bytes.fill(7, 100, 200);
  other.view.setUint16(opaqueAt, 99, true);

  for (const { view } of [page, other]) maskHash(view);

  deepEqual(page.bytes, other.bytes);
});

for (const [name, flags, alike] of [
  ['bucket', hashFlags.bucket, true],
  ['overflow', hashFlags.overflow, true],
  ['bitmap', hashFlags.bitmap, false],
] as const)
  test(`hash: line pointers of ${name} pages are compared with their flags: ${!alike}`, () => {
    const [page, other] = [bucketPage(2), bucketPage(2)];
    for (const { view } of [page, other]) HashOpaque.flags.set(view, opaqueAt, flags);
    markItemDead(other.view, 1);
    HashOpaque.flags.set(other.view, opaqueAt, flags | hashFlags.hasDeadTuples);

    for (const { view } of [page, other]) maskHash(view);

    (alike ? deepEqual : notDeepEqual)(page.bytes, other.bytes);
    equal(itemFlagsOf(page.view, 1) === 0, alike);
  });

test('hash: a split without its image is refused', () => {
  refuses(bucketPage(1), { info: 0x50 });
});

test('hash: a bitmap larger than a page is refused', () => {
  const record = { info: 0x10, blocks: [5, 0], main: u16s(opaqueAt - PageHeader.size + 1) };

  refuses(zeroPage(), { ...record, willInit: true });
});

test('hash: a bit outside of the bitmap page is refused', () => {
  const page = zeroPage();
  initHashBitmap(page.view, bitmapSize);
  const bit = (opaqueAt - PageHeader.size) * 8;

  refuses(page, { ...squeeze, blockId: 5, main: squeezeMain(0, 1, 0), data: u32s(bit) });
});

test('hash: a splitpoint that no metapage has is refused', () => {
  const main = [...u32s(4), ...u16s(2, 2), 2];

  refuses(metaPage(), { info: 0x40, blockId: 2, blocks: [7, 8, 0], main, data: u32s(98, 1) });
});

test('hash: as many bitmaps as a metapage can list are all it can have', () => {
  const page = metaPage();
  HashMeta.bitmapCount.set(page.view, hashMetaAt(page.view), 1_024);

  refuses(page, { ...addWithBitmap, blockId: 4, data: u32s(9) });
});

test('hash: fewer or more tuples than a record says are refused', () => {
  const move = { info: 0x70, blockId: 1, blocks: [null, 8, 9] };
  const data = [...u16s(1), ...tuple];

  refuses(bucketPage(1), { ...move, main: [...u16s(0), 1], data });
  refuses(bucketPage(1), { ...move, main: [...u16s(2), 1], data: [...u16s(1, 1), ...tuple] });
});

test('hash: more deleted slots than the record has are refused', () => {
  const main = [...u32s(700), ...u16s(3, 0), ...u16s(1, 2)];

  refuses(bucketPage(3), { info: 0xc0, blocks: [7, 0], main });
});

test('hash: a page that is no hash page, or no metapage, is refused', () => {
  const heap = zeroPage();
  initPage(heap.view, 0);
  const insert = { info: 0x20, blocks: [7, 0], main: u16s(1), data: tuple };

  refuses(heap, { ...insert, blockId: 0 });
  refuses(bucketPage(1), { ...insert, blockId: 1 });
});

test('hash: a record for a block its kind does not have, or without its struct, is refused', () => {
  refuses(bucketPage(1), { info: 0xa0, blockId: 1, blocks: [1, 2] });
  refuses(bucketPage(1), { info: 0x20, blocks: [7, 0], main: [1], data: tuple });
});

for (const [tuples, maxBucket, highMask, splitpoint] of [
  [0, 1, 3, 1],
  [100, 1, 3, 1],
  [121, 3, 7, 2],
  [40 * 512, 511, 1_023, 9],
  [40 * 513, 639, 1_023, 10],
  [40 * 1_000, 1_023, 2_047, 13],
  [40 * 1_100, 1_279, 2_047, 14],
  [1e300, 2 ** 30 - 1, 2 ** 31 - 1, 93],
] as const)
  test(`hash: an index for ${tuples} tuples at 40 a bucket begins with ${maxBucket + 1} buckets`, () => {
    const page = zeroPage();

    initHashMeta(page.view, tuples, 450, 40);

    const meta = hashMetaAt(page.view);
    equal(HashMeta.maxBucket.get(page.view, meta), maxBucket);
    equal(HashMeta.highMask.get(page.view, meta), highMask);
    equal(HashMeta.lowMask.get(page.view, meta), (highMask - 1) / 2);
    equal(HashMeta.splitpoint.get(page.view, meta), splitpoint);
    equal(PageHeader.special.get(page.view, 0), pageSize - HashOpaque.size);
  });
