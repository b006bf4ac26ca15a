/** What becomes of a frozen layer: a delta, and images that every later read agrees with. */
import { deepEqual, equal } from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import { pageSize } from '../../../src/postgres/page.ts';
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
} from './timelines.ts';

test('write layers: an image changes nothing of what reads see, at any LSN', async (t) => {
  const timeline = root(t);
  const { store } = timeline;
  putPages(store, 200);
  clearBits(store, 250, { first: 0, ...all });
  clearBits(store, 300, { first: 500, ...all });
  const before = [199, 200, 250, 299, 300].map((at) => pages(store, at));

  const failures = await write(timeline, 300);
  clearBits(store, 400, { first: 1_000, ...all });
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
  equal(new Set([...before, later].map((some) => some[0])).size, 5);
});

test('write layers: a branch below an image reads what was there', async (t) => {
  const timeline = root(t);
  putPages(timeline.store, 200);
  await write(timeline, 250);
  clearBits(timeline.store, 300, { first: 0, ...all });
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
  clearBits(branch.store, 300, { first: 0, ...all });
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
  clearBits(branch.store, 300, { first: 0, ...all });
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
