/** Builders for tests of a timeline: one in a folder, and pages that are easy to tell apart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext } from 'node:test';
import { keyKinds, makeKey, type Key } from '../../../src/base/key.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { generation, TimelineDisk } from '../../../src/actors/timeline/disk.ts';
import { families, shelve, unshelve } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { writeFrozen } from '../../../src/actors/timeline/write-layers.ts';
import { type Major } from '../../../src/postgres/major.ts';
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
export const pageCount = 24;
const clearsPerPage = 150;

export interface Opened {
  readonly id: string;
  readonly folder: string;
  readonly disk: TimelineDisk;
  readonly store: TimelineStore;
  readonly cache: SharedArrayBuffer;
}

export interface Place {
  readonly id: string;
  /** A new folder when null. */
  readonly folder: string | null;
  readonly ancestor: { readonly timeline: string; readonly lsn: Lsn } | null;
}

/** A timeline on the shelf, from what its folder has, until the test ends. */
export function open(
  t: TestContext,
  { id, folder: given, ancestor }: Place,
  major: Major = 18,
): Opened {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'stemma-layers-'));
  const number = parseInt(id, 16);
  const cache = allocatePageCache(2 ** 20);
  const disk = new TimelineDisk({
    ...{ id, number, folder, major, ancestor, imagePagesMin, import: null },
    ...{ systemId: '1', segmentSize: 2 ** 24, openLayerMax_bytes: 2 ** 30 },
    pageCache: cache,
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
  return { id, folder, disk, store, cache };
}

export function root(t: TestContext, major: Major = 18): Opened {
  return open(t, { id: '01'.repeat(16), folder: null, ancestor: null }, major);
}

export function mapPage(block: number): Key {
  return makeKey(families.id(keyKinds.relationBlock, 1663, 5, 16_384, 2), block);
}

/** Ends the open layer and makes its files; returns what kept images from being made. */
export async function write({ disk, store }: Opened, at: number): Promise<unknown[]> {
  const failures: unknown[] = [];
  store.ingestedLsn = lsn(at);
  disk.freeze(store.map, store.ingestedLsn, store.ingestedLsn);
  await writeFrozen({ disk, store, imagePagesMin, onImagesFailed });
  return failures;
  function onImagesFailed(error: unknown): void {
    failures.push(error);
  }
}

/** Blocks `[from, to)`. */
export interface Blocks {
  readonly from: number;
  readonly to: number;
}

export const all: Blocks = { from: 0, to: pageCount };

/** Pages full of set bits. */
export function putPages(store: TimelineStore, at: number, { from, to } = all): void {
  const value = new Uint8Array(8 + pageSize).fill(0xff);
  value.fill(0, 0, 8);
  value[0] = valueTags.image;
  for (let block = from; block < to; block += 1) store.put(mapPage(block), lsn(at), true, value);
}

/** Small changes that need what was there before, as many bytes of them as make a page heavy. */
export function clearBits(
  store: TimelineStore,
  at: number,
  { first, from, to }: Blocks & { readonly first: number },
): void {
  const value = new Uint8Array(visibilityClearSize);
  const view = new DataView(value.buffer);
  for (let block = from; block < to; block += 1)
    for (let bit = first; bit < first + clearsPerPage; bit += 1) {
      writeVisibilityClear(view, 0, 3, block * heapBlocksPerMapPage + bit, noHeapBlock);
      store.put(mapPage(block), lsn(at), false, value);
    }
}

/** Every page as of `at`, as text. */
export function pages(store: TimelineStore, at: number): string[] {
  return Array.from({ length: pageCount + 1 }, (_, block) => {
    const page = new Uint8Array(pageSize);
    store.readPage(mapPage(block), lsn(at), page);
    return Buffer.from(page).toString('hex');
  });
}

export function images({ store }: Opened): number[][] {
  return store.map.imageRuns.map(({ begin, entries }) => [
    begin,
    ...entries.flatMap(({ reader }) => [reader!.frame.versions]),
  ]);
}
