/** As what a record's blocks are stored. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { keyFamily, keyKinds, type Key } from '../../../src/base/key.ts';
import { lsnZero, type Lsn } from '../../../src/base/lsn.ts';
import { Ingest } from '../../../src/postgres/ingest/ingest.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { resourceManagers } from '../../../src/postgres/resource-managers.ts';
import { type RecordBlock, type WalRecord } from '../../../src/postgres/wal-record.ts';
import { family, timeline, walRecord, words } from './records.ts';
import { MemoryTip } from './memory-tip.ts';

const { btree, gist, xlog } = resourceManagers;
const relation = { tablespace: 1_663, database: 5, relation: 17_000 };

/** Notes the blocks put: tag of the value, and whether it needs no older one. */
class NotingTip extends MemoryTip {
  readonly noted: string[] = [];

  override put(key: Key, at: Lsn, init: boolean, bytes: Uint8Array): void {
    super.put(key, at, init, bytes);
    if (this.families.family(keyFamily(key)).kind !== keyKinds.relationBlock) return;
    const tag = Object.entries(valueTags).find(([, each]) => each === bytes[0])![0];
    this.noted.push(init ? `${tag} init` : tag);
  }
}

/** What is stored for a record of one block, in a relation of ten. */
function stored(rmgr: number, info: number, block: Partial<RecordBlock>): readonly string[] {
  const tip = new NotingTip(18);
  const checkpoint = family(keyKinds.checkpoint);
  tip.put(tip.key(checkpoint, 0), lsnZero, true, timeline(18).tip.value(checkpoint)!);
  tip.put(tip.key(family(keyKinds.relationSize, relation), 0), lsnZero, true, words(10));
  new Ingest(18, tip).record(oneBlock(rmgr, info, block));
  return tip.noted;
}

function oneBlock(rmgr: number, info: number, block: Partial<RecordBlock>): WalRecord {
  const record = walRecord({ rmgr, info, main: new Uint8Array(pageSize) });
  record.major = 18;
  record.blockCount = 1;
  Object.assign(record.blocks[0]!, { present: true, ...relation, block: 3, ...block });
  return record;
}

const image = { hasImage: true, imageOffset: 0, imageSize: pageSize };

test('blocks: an image that applies stands alone', () => {
  deepEqual(stored(btree, 0, { ...image, applyImage: true }), ['image init']);
});

test('blocks: an image that is only there to be checked is not stored', () => {
  deepEqual(stored(btree, 0, { ...image, applyImage: false }), ['record']);
});

test('blocks: a record that initialises its page needs no older version', () => {
  deepEqual(stored(btree, 0, { willInit: true }), ['record init']);
  deepEqual(stored(btree, 0, { willInit: true, block: 10 }), ['record init']);
});

test('blocks: a record beyond the end is redone on zeros', () => {
  deepEqual(stored(btree, 0, { block: 11 }), ['delta init', 'delta init', 'record']);
});

test('blocks: a hint without its image is nothing', () => {
  deepEqual(stored(xlog, 0xa0, {}), []);
  deepEqual(stored(xlog, 0xa0, { ...image, applyImage: true }), ['image init']);
});

test('blocks: an image of the left half of a GiST split lacks what the record does to it', () => {
  const left = { ...image, applyImage: true };

  deepEqual(stored(gist, 0x30, left), ['image init', 'delta']);
  deepEqual(stored(gist, 0x30, { ...left, applyImage: false }), ['record']);
  deepEqual(stored(gist, 0x00, left), ['image init'], 'block 0 of an update is the page updated');
});
