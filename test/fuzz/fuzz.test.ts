/**
 * A short run of the fuzzer, and the damage it has found so far.
 */
import { deepEqual, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { pageSize } from '../../src/postgres/page.ts';
import { maskPage } from '../../src/postgres/redo/mask-page.ts';
import { pageManager } from '../../src/postgres/redo/page-manager.ts';
import { resourceManagers } from '../../src/postgres/resource-managers.ts';
import { readSamples } from '../postgres/redo/redo-samples.ts';
import { fuzz } from './fuzz.ts';

const mutations = 30_000;

test('fuzz: damaged records and pages give a value or a corrupt failure, in time', async () => {
  const { counts, wrong } = await fuzz(1, mutations, () => undefined);

  deepEqual(wrong, []);
  const outcomes = Object.values(counts);
  ok(outcomes.length === 6 && outcomes.every(({ value, corrupt }) => value > 0 && corrupt > 0));
});

/** The first page a manager made. */
function pageOf(rmgr: number): DataView {
  const sample = readSamples('redo-samples-18.gz').find((each) => each.rmgr === rmgr)!;
  return new DataView(sample.after.slice().buffer);
}

const firstLinePointer = 24;

test('masks: a tuple that begins beyond its page is a corrupt failure', () => {
  const page = pageOf(resourceManagers.heap);
  page.setUint32(firstLinePointer, (8 << 17) | (1 << 15) | (pageSize - 4), true);

  throws(
    () => {
      maskPage(page, { rmgr: resourceManagers.heap, fork: 0, block: 0 });
    },
    { code: 'page_item_invalid' },
  );
});

test('pageManager: a special space too small for any manager is a corrupt failure', () => {
  const page = pageOf(resourceManagers.btree);
  page.setUint16(16, pageSize - 4, true);

  throws(() => pageManager(page), { code: 'page_header_invalid' });
});
