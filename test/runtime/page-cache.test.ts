/**
 * The page cache: which versions it serves, what it evicts, and that readers see whole pages only.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { lsn, lsnZero } from '../../src/base/lsn.ts';
import { allocatePageCache, PageCache, type PageAddress } from '../../src/runtime/page-cache.ts';
import { stampedFamily, type CacheReaderData } from './stamped.ts';

function newCache(slots = 64): PageCache {
  return new PageCache(allocatePageCache(slots * 8_192));
}

function addressOf(block: number, timeline = 1): PageAddress {
  return { timeline, family: stampedFamily, block };
}

function pageOf(stamp: number): Uint8Array {
  return new Uint8Array(8_192).fill(stamp);
}

/** The stamp of the page found, or null. */
function find(cache: PageCache, address: PageAddress, floor: number): number | null {
  const target = new Uint8Array(3 * 8_192);
  return cache.lookup(address, lsn(floor), target, 8_192) ? target[8_192]! : null;
}

test('page cache: a page is copied to the offset asked for and nowhere else', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  const target = new Uint8Array(3 * 8_192);

  cache.lookup(addressOf(1), lsn(100), target, 8_192);

  const stamps = [0, 8_191, 8_192, 16_383, 16_384].map((at) => target[at]);
  deepEqual(stamps, [0, 0, 7, 7, 0]);
});

test('page cache: a version older than the floor serves while the block is unchanged', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));

  equal(find(cache, addressOf(1), 5_000), 7);
});

test('page cache: a version superseded at or before the floor does not serve', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  cache.supersede(addressOf(1), lsn(200));

  deepEqual([find(cache, addressOf(1), 199), find(cache, addressOf(1), 200)], [7, null]);
});

test('page cache: a version at or after the floor serves though superseded', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  cache.supersede(addressOf(1), lsn(101));

  equal(find(cache, addressOf(1), 100), 7);
});

test('page cache: only the first change after a version ends it', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  cache.supersede(addressOf(1), lsn(200));
  cache.supersede(addressOf(1), lsn(300));

  equal(find(cache, addressOf(1), 250), null);
});

test('page cache: a change that a version has already does not end it', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  cache.supersede(addressOf(1), lsn(100));

  equal(find(cache, addressOf(1), 5_000), 7);
});

test('page cache: a page from before a known change is not kept as current', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(100), pageOf(7));
  cache.supersede(addressOf(1), lsn(200));

  cache.insert(addressOf(1), lsn(150), pageOf(8));

  equal(find(cache, addressOf(1), 250), null);
});

test('page cache: an older page does not replace a newer one', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(200), pageOf(7));

  cache.insert(addressOf(1), lsn(100), pageOf(8));

  equal(find(cache, addressOf(1), 150), 7);
});

test('page cache: blocks, timelines and families are told apart', () => {
  const cache = newCache(1_024);
  const others = [
    addressOf(2),
    addressOf(1, 2),
    addressOf(1, 2 ** 32 - 1),
    { ...addressOf(1), family: { ...stampedFamily, fork: 1 } },
    { ...addressOf(1), family: { ...stampedFamily, relation: 2 ** 32 - 1 } },
  ];
  others.forEach((address, index) => {
    cache.insert(address, lsn(1), pageOf(index + 1));
  });

  equal(find(cache, addressOf(1), 1), null);
  deepEqual(
    others.map((address) => find(cache, address, 1)),
    [1, 2, 3, 4, 5],
  );
});

test('page cache: when full, it still keeps the page inserted last', () => {
  const cache = newCache(8);

  const kept = Array.from({ length: 100 }, (_, block) => {
    cache.insert(addressOf(block), lsn(1), pageOf(block));
    return find(cache, addressOf(block), 1);
  });

  deepEqual(kept, [...kept.keys()]);
});

test('page cache: a page read again and again outlives pages read never', () => {
  const cache = newCache(8);
  cache.insert(addressOf(0), lsn(1), pageOf(42));
  let hits = 0;

  for (let block = 1; block <= 200; block += 1) {
    if (find(cache, addressOf(0), 1) === 42) hits += 1;
    else cache.insert(addressOf(0), lsn(1), pageOf(42));
    cache.insert(addressOf(block), lsn(1), pageOf(1));
  }

  ok(hits > 195, `hits=${hits}`);
});

test('page cache: repair forgets a page whose writer died while writing it', () => {
  const memory = allocatePageCache(8 * 8_192);
  const cache = new PageCache(memory);
  cache.insert(addressOf(1), lsn(1), pageOf(7));
  const sequences = new Int32Array(memory, 8 * 8_192, 8 * 16);
  const slot = [...Array(8).keys()].find((at) => sequences[at * 16] !== 0)!;
  Atomics.add(sequences, slot * 16, 1); // as a writer leaves it in the middle

  cache.repair();
  const afterRepair = find(cache, addressOf(1), 1);
  cache.insert(addressOf(1), lsn(2), pageOf(8));

  deepEqual([afterRepair, find(cache, addressOf(1), 1)], [null, 8]);
});

test('page cache: a page that changes while it is copied is a miss', () => {
  const cache = newCache();
  cache.insert(addressOf(1), lsn(1), pageOf(7));
  class Interrupted extends Uint8Array {
    override set(source: ArrayLike<number>, offset: number): void {
      super.set(source, offset);
      cache.insert(addressOf(1), lsn(2), pageOf(8));
    }
  }

  const found = cache.lookup(addressOf(1), lsnZero, new Interrupted(8_192), 0);

  equal(found, false);
});

test('page cache: a reader on another thread never sees a torn page', async () => {
  const memory = allocatePageCache(8 * 8_192);
  const counts = new SharedArrayBuffer(12);
  const data: CacheReaderData = { cache: memory, counts, blocks: 3 };
  const cells = new Int32Array(counts);
  const pages = Array.from({ length: 252 }, (_, stamp) => pageOf(stamp));
  const cache = new PageCache(memory);
  const reader = new Worker(new URL('./cache-reader-thread.ts', import.meta.url), {
    workerData: data,
    execArgv: [],
  });

  try {
    for (let round = 1; Atomics.load(cells, 0) < 30_000; round += 1) {
      const stamp = round % 252;
      cache.insert(addressOf(stamp % 3), lsn(2 * round), pages[stamp]!);
      cache.supersede(addressOf((stamp + 1) % 3), lsn(2 * round + 1));
      if (round % 4_096 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    Atomics.store(cells, 2, 1);
    await new Promise((resolve) => reader.once('exit', resolve));
  } finally {
    await reader.terminate();
  }

  equal(cells[1], 0);
});

test('page cache: whatever is inserted and superseded, what is served is right', () => {
  const blocks = 24;
  const cache = newCache(16);
  // Changes of each block, as a model: the stamp of the version at an LSN is the LSN of its change.
  const changes = Array.from({ length: blocks }, () => [0]);
  let seed = 7;
  function below(bound: number): number {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % bound;
  }

  for (let now = 1, step = 0; step < 5_000; step += 1) {
    const block = below(blocks);
    const versions = changes[block]!;
    const choice = below(4);
    if (choice === 0) {
      now += 1; // a change comes after everything a page was made from
      versions.push(now);
      cache.supersede(addressOf(block), lsn(now));
    } else if (choice === 1) {
      cache.insert(addressOf(block), lsn(now), pageOf(versions.at(-1)! % 256));
    } else {
      const floor = Math.max(0, now - below(40));
      const served = find(cache, addressOf(block), floor);
      const allowed = versions.filter((_, index) => (versions[index + 1] ?? Infinity) > floor);
      const right = served === null || allowed.some((version) => version % 256 === served);
      ok(right, `block=${block} floor=${floor} now=${now}`);
    }
  }
  equal(find(cache, addressOf(0, 9), lsnZero), null);
});
