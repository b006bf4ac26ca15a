/** What becomes of a frozen layer: a delta, and images that every later read agrees with. */
import { deepEqual, equal } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { keyKinds, makeKey, type Key } from '../../../src/base/key.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { generation, TimelineDisk } from '../../../src/actors/timeline/disk.ts';
import { families, shelve, unshelve } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { writeFrozen } from '../../../src/actors/timeline/write-layers.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import {
  heapBlocksPerMapPage,
  noHeapBlock,
  visibilityClearSize,
  writeVisibilityClear,
} from '../../../src/postgres/redo/visibility-map.ts';
import { allocatePageCache } from '../../../src/runtime/page-cache.ts';

const imagePagesMin = 4;
const pageCount = 24;
const clearsPerPage = 150;

interface Opened {
  readonly id: string;
  readonly folder: string;
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
}

interface Place {
  readonly id: string;
  /** A new folder when null. */
  readonly folder: string | null;
  readonly ancestor: { readonly timeline: string; readonly lsn: Lsn } | null;
}

/** A timeline on the shelf, from what its folder has, until the test ends. */
function open(t: TestContext, { id, folder: given, ancestor }: Place): Opened {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'stemma-layers-'));
  const number = parseInt(id, 16);
  const major = 18;
  const disk = new TimelineDisk({
    ...{ id, number, folder, major, ancestor, imagePagesMin, import: null },
    ...{ systemId: '1', segmentSize: 2 ** 24, openLayerMax_bytes: 2 ** 30 },
    pageCache: allocatePageCache(65_536),
  });
  const begin = ancestor?.lsn ?? lsn(100);
  const manifest = disk.manifest ?? {
    ...{ timeline: id, major, systemIdentifier: '1', ancestor, generation, layers: [] },
    ...{ diskConsistentLsn: begin, lastRecordStart: begin, created_ms: 0 },
  };
  const store = disk.load(disk.save(manifest));
  shelve(number, store);
  t.after(() => {
    unshelve(number, store);
    disk.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { id, folder, disk, store };
}

function root(t: TestContext): Opened {
  return open(t, { id: '01'.repeat(16), folder: null, ancestor: null });
}

function mapPage(block: number): Key {
  return makeKey(families.id(keyKinds.relationBlock, 1663, 5, 16_384, 2), block);
}

/** Ends the open layer and makes its files; returns what kept images from being made. */
async function write({ disk, store }: Opened, at: number): Promise<unknown[]> {
  const failures: unknown[] = [];
  store.ingestedLsn = lsn(at);
  disk.freeze(store.map, store.ingestedLsn, store.ingestedLsn);
  await writeFrozen({ disk, store, imagePagesMin, onImagesFailed });
  return failures;
  function onImagesFailed(error: unknown): void {
    failures.push(error);
  }
}

/** Pages full of set bits. */
function putPages(store: TimelineStore, at: number): void {
  const value = new Uint8Array(8 + pageSize).fill(0xff);
  value.fill(0, 0, 8);
  value[0] = valueTags.image;
  for (let block = 0; block < pageCount; block += 1)
    store.put(mapPage(block), lsn(at), true, value);
}

/** Small changes that need what was there before, as many bytes of them as make a page heavy. */
function clearBits(store: TimelineStore, at: number, first: number): void {
  const value = new Uint8Array(visibilityClearSize);
  const view = new DataView(value.buffer);
  for (let block = 0; block < pageCount; block += 1)
    for (let bit = first; bit < first + clearsPerPage; bit += 1) {
      writeVisibilityClear(view, 0, 3, block * heapBlocksPerMapPage + bit, noHeapBlock);
      store.put(mapPage(block), lsn(at), false, value);
    }
}

/** Every page as of `at`, as text. */
function pages(store: TimelineStore, at: number): string[] {
  return Array.from({ length: pageCount + 1 }, (_, block) => {
    const page = new Uint8Array(pageSize);
    store.readPage(mapPage(block), lsn(at), page);
    return Buffer.from(page).toString('hex');
  });
}

function images({ store }: Opened): number[][] {
  return store.map.imageRuns.map(({ begin, entries }) => [
    begin,
    ...entries.flatMap(({ reader }) => [reader!.frame.versions]),
  ]);
}

test('write layers: an image changes nothing of what reads see, at any LSN', async (t) => {
  const timeline = root(t);
  const { store } = timeline;
  putPages(store, 200);
  clearBits(store, 250, 0);
  clearBits(store, 300, 500);
  const before = [199, 200, 250, 299, 300].map((at) => pages(store, at));

  const failures = await write(timeline, 300);
  clearBits(store, 400, 1_000);
  const later = pages(store, 400);
  await write(timeline, 400);

  deepEqual(failures, []);
  deepEqual(images(timeline), [
    [400, pageCount],
    [300, pageCount],
  ]);
  deepEqual(
    [199, 200, 250, 299, 300].map((at) => pages(store, at)),
    before,
  );
  deepEqual(pages(store, 400), later);
  equal(new Set([...before, later].map((all) => all[0])).size, 5);
});

test('write layers: a branch below an image reads what was there', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  await write(timeline, 250);
  clearBits(timeline.store, 300, 0);
  const expected = pages(timeline.store, 250);
  const ancestor = { timeline: timeline.id, lsn: lsn(250) };
  const branch = open(t, { id: '02'.repeat(16), folder: null, ancestor });
  await write(timeline, 300);

  deepEqual(pages(branch.store, 1_000), expected);
});

test('write layers: the image of a branch is made through its ancestor', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  timeline.store.ingestedLsn = lsn(250);
  const ancestor = { timeline: timeline.id, lsn: lsn(250) };
  const branch = open(t, { id: '02'.repeat(16), folder: null, ancestor });
  clearBits(branch.store, 300, 0);
  const expected = pages(branch.store, 300);

  deepEqual(await write(branch, 300), []);
  deepEqual(images(branch), [[300, pageCount]]);
  deepEqual(pages(branch.store, 300), expected);
});

test('write layers: no image is made of an ancestor that is not all there', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  const ancestor = { timeline: timeline.id, lsn: lsn(250) };
  const branch = open(t, { id: '02'.repeat(16), folder: null, ancestor });
  clearBits(branch.store, 300, 0);
  timeline.store.ingestedLsn = lsn(249);

  const failures = await write(branch, 300);

  deepEqual(failures.map(String), [`Failure: timeline behind. ancestor=${timeline.id}`]);
  deepEqual(images(branch), []);
  equal(branch.store.map.entries.length, 1);
});

test('write layers: a page that cannot be rebuilt costs its image and nothing else', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  timeline.store.put(mapPage(20), lsn(210), false, Uint8Array.of(99, 0));

  const failures = await write(timeline, 250);

  equal(failures.length, 1);
  deepEqual(images(timeline), []);
  equal(timeline.disk.manifest!.diskConsistentLsn, 250);
  deepEqual(timeline.store.map.frozen, []);
  timeline.store.readPage(mapPage(19), lsn(250), new Uint8Array(pageSize));
});

test('write layers: a restart finds listed files, and removes what is not listed', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  await write(timeline, 250);
  const expected = pages(timeline.store, 250);
  const layers = join(timeline.folder, 'layers');
  const listed = readdirSync(layers).sort();
  writeFileSync(join(layers, listed[0]!.replace(/.$/, '7')), 'finished, and never listed');

  const again = open(t, { id: timeline.id, folder: timeline.folder, ancestor: null });

  deepEqual(images(again), [[250, pageCount]]);
  deepEqual(pages(again.store, 250), expected);
  deepEqual(readdirSync(layers).sort(), listed);
});
