/** Free-space maps at read: what is stored, and over it what has become of the heap since. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { keyBlock, makeKey, type Key } from '../../../src/base/key.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { DerivedMaps } from '../../../src/actors/timeline/derived-maps.ts';
import { families } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { slotsPerFreeSpacePage } from '../../../src/postgres/redo/free-space-map.ts';
import { HeapWriter, map, readMap, readSlots, slotsOf, type Slots } from './heaps.ts';
import { open, root, write } from './timelines.ts';

const [rootBlock, innerBlock, bottomBlock] = [0, 1, 2];

/** Ten full blocks, of which Postgres left at LSN 150 that each has room of category 7. */
function storedHeap(store: TimelineStore): HeapWriter {
  const writer = new HeapWriter(store);
  for (let block = 0; block < 10; block += 1) writer.page(block, 110 + block, 0);
  writer.mapPage(rootBlock, 150, { 0: 7 });
  writer.mapPage(innerBlock, 150, { 0: 7 });
  writer.mapPage(bottomBlock, 150, sevens());
  return writer;
}

/** Slots 0 to 9 have 7, but for the others given; a 0 is left out. */
function sevens(others: Slots = {}): Slots {
  const slots: Record<number, number> = {};
  for (let slot = 0; slot < 10; slot += 1) slots[slot] = 7;
  const all = Object.entries({ ...slots, ...others });
  return Object.fromEntries(all.filter(([, category]) => category > 0));
}

function storedPage(store: TimelineStore, block: number): Uint8Array {
  const page = new Uint8Array(pageSize);
  store.readPage(makeKey(families.idOf(map), block), store.ingestedLsn, page);
  return page;
}

/** The blocks that are read, several at once or one, from now on. */
function watchReads(t: TestContext, store: TimelineStore): number[] {
  const blocks: number[] = [];
  const readPages = store.readPages.bind(store);
  t.mock.method(store, 'readPages', (first: Key, at: Lsn, target: Uint8Array) => {
    for (let index = 0; index * pageSize < target.length; index += 1)
      blocks.push(keyBlock(first) + index);
    readPages(first, at, target);
  });
  return blocks;
}

test('derived maps: a map since which nothing has changed comes as it is stored', (t) => {
  const { store } = root(t);
  storedHeap(store);
  store.ingestedLsn = lsn(200);
  const read = watchReads(t, store);

  for (const block of [rootBlock, innerBlock, bottomBlock])
    deepEqual(readMap(store, block), storedPage(store, block));
  deepEqual(read, []);
});

test('derived maps: a block that has changed since has the room that is on it', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(3, 160, 100);
  writer.page(8, 170, 0);

  deepEqual(readSlots(store, 200), sevens({ 3: 100, 8: 0 }));
});

test('derived maps: only blocks that have changed since are rebuilt', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  for (const block of [2, 3, 4, 8]) writer.page(block, 160, 100);
  const read = watchReads(t, store);

  readSlots(store, 200);

  deepEqual(read, [2, 3, 4, 8]);
});

test('derived maps: a map is read as of an LSN, before and after changes', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(3, 160, 100);
  writer.page(3, 180, 50);
  writer.page(10, 190, 20);

  deepEqual(
    [155, 160, 179, 180, 190].map((at) => readSlots(store, at)),
    [
      sevens(),
      sevens({ 3: 100 }),
      sevens({ 3: 100 }),
      sevens({ 3: 50 }),
      sevens({ 3: 50, 10: 20 }),
    ],
  );
});

test('derived maps: changes are found in the file of the map, in newer ones and in memory', async (t) => {
  const timeline = root(t);
  const writer = storedHeap(timeline.store);
  writer.page(1, 160, 11);
  await write(timeline, 200);
  writer.page(2, 210, 12);
  await write(timeline, 300);
  writer.page(3, 310, 13);

  deepEqual(readSlots(timeline.store, 400), sevens({ 1: 11, 2: 12, 3: 13 }));
  deepEqual(readSlots(timeline.store, 205), sevens({ 1: 11 }));
});

test('derived maps: a branch has its own changes and those of its ancestor up to the branch', (t) => {
  const { id, store: ancestor } = root(t);
  const writer = storedHeap(ancestor);
  writer.page(1, 160, 11);
  writer.page(2, 190, 12);
  writer.mapPage(bottomBlock, 195, { 9: 200 });
  ancestor.ingestedLsn = lsn(200);
  const place = { id: '02'.repeat(16), folder: null, ancestor: { timeline: id, lsn: lsn(180) } };
  const branch = open(t, place).store;
  new HeapWriter(branch).page(3, 210, 13);

  deepEqual(readSlots(branch, 300), sevens({ 1: 11, 3: 13 }));
  deepEqual(readSlots(branch, 180), sevens({ 1: 11 }));
  deepEqual(readSlots(ancestor, 200), { 9: 200 });
});

test('derived maps: a map made by a record that frees room tells of that block, not of older ones', (t) => {
  const { store } = root(t);
  const writer = new HeapWriter(store);
  for (let block = 0; block < 10; block += 1) writer.page(block, 110, 50);
  writer.page(4, 120, 90);
  writer.cover(4, 120);
  writer.page(6, 130, 80);

  deepEqual(readSlots(store, 200), { 4: 90, 6: 80 });
});

test('derived maps: a block that was never written is empty', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.emptyPages(10, 12, 160);

  deepEqual(readSlots(store, 200), sevens({ 10: 255, 11: 255 }));
});

test('derived maps: blocks beyond the end have no room, though the map was stored with them', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.mapPage(bottomBlock, 160, sevens({ 10: 255, 4_068: 255 }));

  deepEqual(readSlots(store, 200), sevens());
});

test('derived maps: of what was truncated nothing comes back when the heap grows again', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(1, 160, 11);
  writer.page(9, 160, 19);
  writer.truncate(4, 170);
  writer.page(4, 180, 30);
  writer.page(6, 190, 0);

  deepEqual(readSlots(store, 175), { 0: 7, 1: 11, 2: 7, 3: 7 });
  deepEqual(readSlots(store, 200), { 0: 7, 1: 11, 2: 7, 3: 7, 4: 30, 5: 255 });
});

test('derived maps: a relation that has the number of a dropped one has nothing of its map', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(1, 160, 11);
  writer.drop(170);
  for (let block = 0; block < 6; block += 1) writer.page(block, 180, 60);
  writer.page(5, 190, 65);
  writer.cover(5, 190);

  deepEqual(readSlots(store, 200), { 5: 65 });
  deepEqual(readSlots(store, 165), sevens({ 1: 11 }));
});

test('derived maps: the map of an index comes as it is stored', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(0, 155, 0, 16);
  writer.page(3, 160, 100, 16);
  store.ingestedLsn = lsn(200);

  for (const block of [rootBlock, innerBlock, bottomBlock])
    deepEqual(readMap(store, block), storedPage(store, block));
});

test('derived maps: upper pages follow from bottom pages that have changed', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.page(3, 160, 100);
  store.ingestedLsn = lsn(200);

  const pages = [rootBlock, innerBlock].map((block) => slotsOf(readMap(store, block)));

  deepEqual(pages, [{ 0: 100 }, { 0: 100 }]);
});

test('derived maps: upper pages are as Postgres left them where nothing below has changed', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.emptyPages(10, slotsPerFreeSpacePage, 151);
  writer.page(slotsPerFreeSpacePage, 155, 0);
  writer.mapPage(bottomBlock + 1, 158, { 0: 9 });
  writer.mapPage(bottomBlock, 159, sevens());
  writer.mapPage(innerBlock, 159, { 0: 3, 1: 4, 2: 5 });
  writer.page(slotsPerFreeSpacePage, 160, 100);
  store.ingestedLsn = lsn(200);

  deepEqual(slotsOf(readMap(store, innerBlock)), { 0: 3, 1: 100 });
});

test('derived maps: upper pages that nobody has written follow from all that is below', (t) => {
  const { store } = root(t);
  const writer = new HeapWriter(store);
  for (let block = 0; block < 10; block += 1) writer.page(block, 110, 0);
  writer.mapPage(bottomBlock, 150, sevens());
  store.ingestedLsn = lsn(200);

  const pages = [rootBlock, innerBlock].map((block) => slotsOf(readMap(store, block)));

  deepEqual(pages, [{ 0: 7 }, { 0: 7 }]);
});

test('derived maps: upper pages follow from a bottom page that was truncated', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.mapPage(innerBlock, 155, { 0: 50 });
  writer.mapPage(bottomBlock, 155, sevens({ 9: 50 }));
  writer.truncate(4, 160);
  store.ingestedLsn = lsn(200);

  deepEqual(slotsOf(readMap(store, innerBlock)), { 0: 7 });
});

test('derived maps: bottom pages that the map does not reach to count as full', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  writer.emptyPages(10, slotsPerFreeSpacePage + 10, 160);
  store.ingestedLsn = lsn(200);

  deepEqual(slotsOf(readMap(store, innerBlock)), { 0: 255 });
});

test('derived maps: of a large map bottom pages are derived up to a limit, upper ones are not', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  const blocks = 9 * slotsPerFreeSpacePage;
  writer.emptyPages(10, blocks, 160);
  writer.cover(blocks - 1, 160);
  store.ingestedLsn = lsn(200);
  const pages = new Uint8Array(11 * pageSize);
  const steps = new DerivedMaps().read(store, { family: map, firstBlock: 0 }, pages);
  while (steps.next().done !== true);

  const largest = Array.from({ length: 11 }, (_, block) => {
    const page = pages.slice(block * pageSize, (block + 1) * pageSize);
    return Math.max(0, ...Object.values(slotsOf(page)));
  });

  deepEqual(largest, [7, 7, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
});

test('derived maps: the next reading goes on from the last one', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  const maps = new DerivedMaps();
  for (const block of [2, 3, 4]) writer.page(block, 160, 100);
  readSlots(store, 170, maps);
  writer.page(4, 180, 110);
  writer.page(10, 190, 120);
  const read = watchReads(t, store);

  deepEqual(readSlots(store, 200, maps), sevens({ 2: 100, 3: 100, 4: 110, 10: 120 }));
  deepEqual(read, [4, 10]);
});

test('derived maps: a map that was stored or truncated since the last reading is read anew', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  const maps = new DerivedMaps();
  writer.page(2, 160, 100);
  readSlots(store, 170, maps);
  writer.mapPage(bottomBlock, 180, { 5: 33 });
  writer.page(3, 190, 120);

  deepEqual(readSlots(store, 200, maps), { 3: 120, 5: 33 });
  writer.truncate(3, 210);
  writer.page(3, 220, 0);
  deepEqual(readSlots(store, 230, maps), {});
});

test('derived maps: what was read of a timeline is not taken for that of another', (t) => {
  const { id, store: ancestor } = root(t);
  const writer = storedHeap(ancestor);
  writer.page(1, 160, 11);
  ancestor.ingestedLsn = lsn(200);
  const place = { id: '02'.repeat(16), folder: null, ancestor: { timeline: id, lsn: lsn(155) } };
  const branch = open(t, place).store;
  const maps = new DerivedMaps();

  deepEqual(readSlots(ancestor, 200, maps), sevens({ 1: 11 }));
  deepEqual(readSlots(branch, 200, maps), sevens());
});

test('derived maps: no more than 16 pages are rebuilt in one go', (t) => {
  const { store } = root(t);
  const writer = storedHeap(store);
  for (let block = 0; block < 3_000; block += 1) writer.page(block, 160, 100);
  store.ingestedLsn = lsn(200);
  const read = watchReads(t, store);
  const steps = new DerivedMaps().read(
    store,
    { family: map, firstBlock: bottomBlock },
    new Uint8Array(pageSize),
  );

  const slices: number[] = [];
  for (let done = false, before = 0; !done; before = read.length) {
    done = steps.next().done === true;
    slices.push(read.length - before);
  }

  equal(read.length, 3_000);
  ok(Math.max(...slices) <= 16, `a slice of ${Math.max(...slices)} pages`);
});

test('derived maps: what is ingested meanwhile, and files that are written, change nothing', async (t) => {
  const timeline = root(t);
  const { store } = timeline;
  const writer = storedHeap(store);
  for (let block = 0; block < 100; block += 1) writer.page(block, 160, 100);
  store.ingestedLsn = lsn(200);
  const page = new Uint8Array(pageSize);
  const steps = new DerivedMaps().read(store, { family: map, firstBlock: bottomBlock }, page);

  for (let at = 210; steps.next().done !== true; at += 10) {
    writer.page(99, at, 200);
    await write(timeline, at);
  }

  const slots = slotsOf(page);
  deepEqual(new Set(Object.values(slots)), new Set([100]));
  equal(Object.keys(slots).length, 100);
});

test('derived maps: no image is made of a map, which would make it look newer than it is', async (t) => {
  const timeline = root(t);
  const writer = storedHeap(timeline.store);
  for (let block = 0; block < 12; block += 1)
    writer.mapPage(block, 160, Object.fromEntries(Array(4_069).fill(9).entries()));
  writer.page(3, 170, 100);
  await write(timeline, 200);

  equal(readSlots(timeline.store, 300)[3], 100);
});
