/**
 * What the masks hide from every comparison with Postgres (samples and oracle), and records that
 * redo must refuse or leave alone.
 */
import { equal, notEqual, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { PageHeader, initPage } from '../../../src/postgres/page.ts';
import { BtreeOpaque, btreeFlags, opaqueAt } from '../../../src/postgres/redo/btree-page.ts';
import { PageRebuilder } from '../../../src/postgres/redo/rebuild.ts';
import { readSamples } from './redo-samples.ts';
import { applyTo, recordValue, u16s, u32s, zeroPage } from './values.ts';

const btree = 11;
const generic = 20;
const xlog = 0;
const cycleId = 4_711;

/** The sample's page after its record, having had these flags and a vacuum cycle id before. */
function redoMarked(major: number, name: string, flags: number): DataView {
  const sample = readSamples(`redo-samples-${major}.gz`).find((each) => each.name === name)!;
  const page = sample.before.slice();
  const view = new DataView(page.buffer);
  BtreeOpaque.flags.set(view, opaqueAt, BtreeOpaque.flags.get(view, opaqueAt) | flags);
  BtreeOpaque.cycleId.set(view, opaqueAt, cycleId);
  applyTo(new PageRebuilder(major), page, sample.value, sample.end);
  return view;
}

for (const [kind, name] of [
  ['60', 'deduplication'],
  ['70', 'deletion'],
  ['c0', 'VACUUM'],
] as const)
  test(`btree: ${name} leaves no hint that tuples are dead`, () => {
    const page = redoMarked(15, `Btree ${kind} block 0`, btreeFlags.hasGarbage);

    equal(BtreeOpaque.flags.get(page, opaqueAt) & btreeFlags.hasGarbage, 0);
  });

test('btree: VACUUM keeps the cycle id up to major 17 and clears it in 18', () => {
  const [older, newer] = [15, 18].map((major) => redoMarked(major, 'Btree c0 block 0', 0));

  equal(BtreeOpaque.cycleId.get(older!, opaqueAt), cycleId);
  equal(BtreeOpaque.cycleId.get(newer!, opaqueAt), 0);
});

for (const kind of ['30', '40'])
  test(`btree: a split (${kind}) clears the cycle id of both halves`, () => {
    const halves = [0, 1].map((block) => redoMarked(15, `Btree ${kind} block ${block}`, 0));

    for (const half of halves) equal(BtreeOpaque.cycleId.get(half, opaqueAt), 0);
  });

test('btree: an insertion into a page that is no B-tree page is refused', () => {
  const page = zeroPage();
  initPage(page.view, 0);
  const value = recordValue({ rmgr: btree, main: u16s(1), data: [...u32s(0, 0), ...u32s(8, 0)] });

  throws(() => {
    applyTo(new PageRebuilder(15), page.bytes, value, 8);
  }, /redo failed.*/);
});

test('btree: a record for a block its kind does not have is refused', () => {
  const page = zeroPage();
  initPage(page.view, BtreeOpaque.size);
  const value = recordValue({ rmgr: btree, info: 0xc0, blockId: 1, blocks: [1, 2], main: u32s(0) });

  throws(() => {
    applyTo(new PageRebuilder(15), page.bytes, value, 8);
  }, /redo failed.*/);
});

test('generic: a range that leaves the page is refused', () => {
  const page = zeroPage();
  initPage(page.view, 0);
  const value = recordValue({ rmgr: generic, data: u16s(8_190, 4, 0, 0) });

  throws(() => {
    applyTo(new PageRebuilder(15), page.bytes, value, 8);
  }, /redo failed.*/);
});

test('generic: the hole is zero afterwards', () => {
  const page = zeroPage();
  initPage(page.view, 0);
  page.view.setUint32(4_000, 0xdead, true);
  const value = recordValue({ rmgr: generic, data: u16s(8_188, 4, 1, 2) });

  applyTo(new PageRebuilder(15), page.bytes, value, 8);

  equal(page.view.getUint32(4_000, true), 0);
  // The range lay in the hole too, there being no special space.
  equal(page.view.getUint32(8_188, true), 0);
});

test('xlog: a hint without its image changes nothing, not even the LSN', () => {
  const page = zeroPage();
  initPage(page.view, 0);
  const before = page.bytes.slice();

  applyTo(new PageRebuilder(15), page.bytes, recordValue({ rmgr: xlog, info: 0xa0 }), 8);

  equal(Buffer.compare(page.bytes, before), 0);
});

test('xlog: a full-page image without an image is refused', () => {
  const page = zeroPage();

  throws(() => {
    applyTo(new PageRebuilder(15), page.bytes, recordValue({ rmgr: xlog, info: 0xb0 }), 8);
  }, /redo failed.*/);
});

test('btree: a record the page has already is skipped', () => {
  const sample = readSamples('redo-samples-15.gz').find(({ name }) => name === 'Btree 00 block 0')!;
  const page = sample.before.slice();
  applyTo(new PageRebuilder(15), page, sample.value, sample.end);
  const once = page.slice();

  applyTo(new PageRebuilder(15), page, sample.value, sample.end);

  equal(Buffer.compare(page, once), 0);
  notEqual(PageHeader.lsn.get(new DataView(sample.before.buffer), 0), sample.end);
});
