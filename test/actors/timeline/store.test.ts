/** Reads of consecutive blocks: through an image at once, and each as if it were read alone. */
import { deepEqual, equal } from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { keyBlock, keyFamily, type Key } from '../../../src/base/key.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { families } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { PageCache } from '../../../src/runtime/page-cache.ts';
import {
  all,
  clearBits,
  images,
  mapPage,
  open,
  pageCount,
  pages,
  putPages,
  root,
  write,
  type Opened,
} from './timelines.ts';

/** The same pages as `pages`, in one read. */
function pagesAtOnce(store: TimelineStore, at: number): string[] {
  const together = new Uint8Array((pageCount + 1) * pageSize);
  store.readPages(mapPage(0), lsn(at), together);
  return Array.from({ length: pageCount + 1 }, (_, block) => {
    return Buffer.from(together.subarray(block * pageSize, (block + 1) * pageSize)).toString('hex');
  });
}

/** All blocks in an image, some of them in a newer one, and changes in a file and in memory. */
async function layered(t: TestContext): Promise<Opened> {
  const timeline = root(t);
  const { store } = timeline;
  putPages(store, 200);
  await write(timeline, 300);
  clearBits(store, 310, { first: 0, from: 8, to: 14 });
  clearBits(store, 320, { first: 500, from: 20, to: 22 });
  putPages(store, 330, { from: 2, to: 3 });
  await write(timeline, 400);
  clearBits(store, 410, { first: 1_000, from: 5, to: 10 });
  putPages(store, 420, { from: 9, to: 10 });
  store.ingestedLsn = lsn(500);
  return timeline;
}

test('store: blocks read together are what they are alone, over images, files and memory', async (t) => {
  const timeline = await layered(t);

  deepEqual(images(timeline), [
    [400, 6],
    [300, pageCount],
  ]);
  for (const at of [199, 200, 300, 315, 329, 400, 410, 420, 500])
    deepEqual(pagesAtOnce(timeline.store, at), pages(timeline.store, at), `at ${at}`);
});

test('store: a branch reads blocks together through the images of its ancestor', async (t) => {
  const { id, store } = await layered(t);
  const ancestor = { timeline: id, lsn: lsn(415) };
  const branch = open(t, { id: '02'.repeat(16), folder: null, ancestor });
  clearBits(branch.store, 430, { first: 2_000, from: 0, to: 12 });
  const alone = pages(branch.store, 430);

  deepEqual(pagesAtOnce(branch.store, 430), alone);
  deepEqual(pages(store, 415).slice(12), alone.slice(12));
});

test('store: a branch below an image reads what there was before it', async (t) => {
  const { id } = await layered(t);
  const ancestor = { timeline: id, lsn: lsn(150) };
  const { store } = open(t, { id: '02'.repeat(16), folder: null, ancestor });

  equal(Number(`0x${pagesAtOnce(store, 430).join('')}`), 0);
});

test('store: pages come from image files in one read for each stretch', async (t) => {
  const { store } = await layered(t);
  const reads: [image: number, block: number, pages: number][] = [];
  for (const { begin, entries } of store.map.imageRuns) {
    const image = entries[0]!.reader!;
    const readStretch = image.readStretch.bind(image);
    t.mock.method(image, 'readStretch', (first: Key, target: Uint8Array) => {
      reads.push([begin, keyBlock(first), target.length / pageSize]);
      readStretch(first, target);
    });
  }

  pagesAtOnce(store, 500);

  deepEqual(reads, [
    [300, 0, 8],
    [400, 8, 6],
    [300, 14, 10],
  ]);
});

test('store: a few pages read together are kept for others, a scan is not', async (t) => {
  const timeline = root(t);
  const { store, cache } = timeline;
  putPages(store, 200, all);
  await write(timeline, 300);

  store.readCurrentPages(mapPage(2), new Uint8Array(3 * pageSize));
  store.readCurrentPages(mapPage(4), new Uint8Array(40 * pageSize));

  const kept = Array.from({ length: 8 }, (_, block) => isKept(cache, store, block));
  deepEqual(kept, [false, false, true, true, true, false, false, false]);
});

function isKept(
  memory: SharedArrayBuffer,
  { number, ingestedLsn }: TimelineStore,
  block: number,
): boolean {
  const family = families.family(keyFamily(mapPage(block)));
  const target = new Uint8Array(pageSize);
  const found = new PageCache(memory).lookup(
    { timeline: number, family, block },
    ingestedLsn,
    target,
    0,
  );
  return found && target[8_000] === 0xff;
}
