/** The page reader: maps are derived slice by slice, while everybody else is answered. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type KeyFamily } from '../../../src/base/key.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { pageReader } from '../../../src/actors/timeline/page-reader.ts';
import { type PageReaderMessage } from '../../../src/actors/timeline/protocol.ts';
import { families, shelve, unshelve } from '../../../src/actors/timeline/shelf.ts';
import { type TimelineStore } from '../../../src/actors/timeline/store.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { type Context } from '../../../src/runtime/actor.ts';
import { allocateBell, allocatePageChannel } from '../../../src/runtime/page-channel.ts';
import { PageCache } from '../../../src/runtime/page-cache.ts';
import { heap, HeapWriter, map, slotsOf } from './heaps.ts';
import { root } from './timelines.ts';

const limits = { timeout: 60_000 };
const bottomBlock = 2;

/** What the timeline is called by who asks. */
const timeline = 3;

interface Reading {
  /** What a channel's thread gets: a page, or why none. */
  readonly ask: (channel: number, family: KeyFamily, firstBlock: number) => Promise<unknown>;
  readonly send: (message: PageReaderMessage) => void;
  readonly logged: string[];
}

/** A page reader of this thread's shelf, and threads that ask it. */
async function reading(t: TestContext, store: TimelineStore): Promise<Reading> {
  shelve(timeline, store);
  const bell = allocateBell();
  const channels = [allocatePageChannel(), allocatePageChannel()];
  const threads = channels.map((channel) => {
    const url = new URL('./asker-thread.ts', import.meta.url);
    return new Worker(url, { workerData: { channel, bell }, execArgv: [] });
  });
  const logged: string[] = [];
  const context = {
    answer: () => undefined,
    log: (_level: string, text: string) => logged.push(text),
    onEnd: (release: () => void) => {
      t.after(release);
    },
    after: (delay_ms: number, message: PageReaderMessage) => {
      setTimeout(() => {
        send(message);
      }, delay_ms);
    },
  } as unknown as Context<PageReaderMessage>;
  const state = await pageReader.start(context, { channels, bell });
  t.after(() => {
    unshelve(timeline, store);
    return Promise.all(threads.map((thread) => thread.terminate()));
  });
  function send(message: PageReaderMessage): void {
    void pageReader.receive(context, state, message);
  }
  function ask(channel: number, family: KeyFamily, firstBlock: number): Promise<unknown> {
    const thread = threads[channel]!;
    const answered = once(thread, 'message').then(([page]) => page as unknown);
    thread.postMessage({ timeline, family, firstBlock, count: 1, floor: lsn(200) });
    return answered;
  }
  return { ask, send, logged };
}

/** A heap of 3,000 blocks with room that the stored map does not know of. */
function largeHeap(store: TimelineStore): HeapWriter {
  const writer = new HeapWriter(store);
  for (let block = 0; block < 3_000; block += 1) writer.page(block, 110, 0);
  writer.mapPage(bottomBlock, 150, { 0: 7 });
  for (let block = 0; block < 3_000; block += 1) writer.page(block, 160, 100);
  store.ingestedLsn = lsn(200);
  return writer;
}

test('page reader: while a map is derived, other requests are answered', limits, async (t) => {
  const { store } = root(t);
  largeHeap(store);
  const { ask } = await reading(t, store);
  await ask(1, heap, 0);
  const read = t.mock.method(store, 'readPages');
  const order: string[] = [];

  const derived = ask(0, map, bottomBlock);
  void derived.then(() => order.push('map'));
  while (read.mock.callCount() === 0) await setImmediate();
  await ask(1, heap, 7);
  order.push('heap');

  equal(Object.keys(slotsOf((await derived) as Uint8Array)).length, 3_000);
  deepEqual(order, ['heap', 'map']);
});

test('page reader: two maps are derived at the same time', limits, async (t) => {
  const { store } = root(t);
  largeHeap(store);
  const { ask } = await reading(t, store);

  const pages = await Promise.all([ask(0, map, bottomBlock), ask(1, map, bottomBlock)]);

  for (const page of pages) equal(Object.keys(slotsOf(page as Uint8Array)).length, 3_000);
});

test('page reader: a map is kept for no other reader', limits, async (t) => {
  const { store, cache } = root(t);
  const writer = new HeapWriter(store);
  for (let block = 0; block < 6; block += 1) writer.page(block, 110, 0);
  writer.mapPage(bottomBlock, 150, { 0: 7 });
  store.ingestedLsn = lsn(200);
  const { ask, send } = await reading(t, store);
  const kept = new PageCache(cache);
  function isKept(family: KeyFamily, block: number): boolean {
    const address = { timeline: store.number, family, block };
    return kept.lookup(address, lsn(200), new Uint8Array(pageSize), 0);
  }

  await ask(0, map, bottomBlock);
  await ask(0, heap, 0);
  send({ kind: 'serveStoredMaps' });
  await ask(0, map, bottomBlock);

  deepEqual([isKept(heap, 0), isKept(map, bottomBlock)], [true, false]);
});

test('page reader: once told so, it serves maps as they are stored', limits, async (t) => {
  const { store } = root(t);
  largeHeap(store);
  const { ask, send } = await reading(t, store);

  send({ kind: 'serveStoredMaps' });

  deepEqual(slotsOf((await ask(0, map, bottomBlock)) as Uint8Array), { 0: 7 });
});

test(
  'page reader: a heap page that cannot be rebuilt costs the map its news only',
  limits,
  async (t) => {
    const { store } = root(t);
    largeHeap(store);
    const bad = families.idOf(heap) * 2 ** 32 + 5;
    store.put(bad as never, lsn(170), false, Uint8Array.of(99, 0));
    const { ask, logged } = await reading(t, store);

    deepEqual(slotsOf((await ask(0, map, bottomBlock)) as Uint8Array), { 0: 7 });
    match(String(await ask(0, heap, 5)), /pages refused/);
    deepEqual(logged, ['page-reader: free-space map not derived']);
  },
);

test('page reader: a timeline that is restarted meanwhile is waited for', limits, async (t) => {
  const { store } = root(t);
  largeHeap(store);
  const { ask } = await reading(t, store);
  await ask(1, heap, 0);
  const read = t.mock.method(store, 'readPages');

  const page = ask(0, map, bottomBlock);
  while (read.mock.callCount() === 0) await setImmediate();
  unshelve(timeline, store);
  const during = read.mock.callCount();
  const outcome = await Promise.race([page, sleep(100, 'none')]);
  deepEqual([outcome, read.mock.callCount()], ['none', during]);
  shelve(timeline, store);

  ok((await page) instanceof Uint8Array);
});
