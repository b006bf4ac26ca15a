/**
 * A thread that reads the page cache as fast as it can and counts whole and torn pages.
 */
import { workerData } from 'node:worker_threads';
import { lsnZero } from '../../src/base/lsn.ts';
import { PageCache } from '../../src/runtime/page-cache.ts';
import { stampedFamily, type CacheReaderData } from './stamped.ts';

/** Where bytes are compared: a look at all of them would leave little time to be torn in. */
const samples = [1_024, 2_500, 4_095, 4_096, 6_000, 8_191];

function readUntilStopped({ cache: memory, counts, blocks }: CacheReaderData): void {
  const cache = new PageCache(memory);
  const [whole, torn, stop] = [0, 1, 2] as const;
  const cells = new Int32Array(counts);
  const page = new Uint8Array(8_192);
  for (let block = 0; Atomics.load(cells, stop) === 0; block = (block + 1) % blocks) {
    const address = { timeline: 1, family: stampedFamily, block };
    if (!cache.lookup(address, lsnZero, page, 0)) continue;
    const isWhole = page[0]! % blocks === block && samples.every((at) => page[at] === page[0]);
    Atomics.add(cells, isWhole ? whole : torn, 1);
  }
}

readUntilStopped(workerData as CacheReaderData);
