/** Forks that grow, shrink, go and come back never show what they held before. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { keyKinds, type FamilyId } from '../../../src/base/key.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { BlockStore, sizeMissing } from '../../../src/postgres/ingest/block-store.ts';
import { pageSize } from '../../../src/postgres/page.ts';
import { valueTags } from '../../../src/postgres/page-value.ts';
import { clogStatusSize, setClogIndex, writeClogStatus } from '../../../src/postgres/redo/slru.ts';
import { MemoryTip } from './memory-tip.ts';

/** A value that needs no older one: a page filled with `fill`. */
function image(fill: number): Uint8Array {
  const value = new Uint8Array(8 + pageSize).fill(fill, 8);
  value[0] = valueTags.image;
  return value;
}

/** A value that does: it sets the page's first byte to 1. */
function change(): Uint8Array {
  const value = new Uint8Array(clogStatusSize(1));
  const view = new DataView(value.buffer);
  writeClogStatus(view, 1, 1);
  setClogIndex(view, 0, 0);
  return value;
}

function store(): { tip: MemoryTip; blocks: BlockStore; family: FamilyId } {
  const tip = new MemoryTip(18);
  const family = tip.families.id(keyKinds.relationBlock, 1_663, 5, 16_384, 0);
  return { tip, blocks: new BlockStore(tip), family };
}

/** First byte of each page within the size. */
function firstBytes(tip: MemoryTip, blocks: BlockStore, family: FamilyId): number[] {
  return Array.from({ length: Math.max(0, blocks.size(family)) }, (_, block) => {
    const key = tip.key(tip.families.family(family), block);
    return tip.page(key)?.[0] ?? 0;
  });
}

test('block store: a block beyond the end extends over the gap', () => {
  const { tip, blocks, family } = store();

  blocks.put(family, 3, lsn(1), true, image(9));

  deepEqual(firstBytes(tip, blocks, family), [0, 0, 0, 9]);
});

test('block store: after a truncation old pages do not come back', () => {
  const { tip, blocks, family } = store();
  for (let block = 0; block < 4; block += 1) blocks.put(family, block, lsn(1), true, image(9));
  blocks.truncate(family, lsn(2), 1);

  blocks.put(family, 3, lsn(3), false, change());

  deepEqual(firstBytes(tip, blocks, family), [9, 0, 0, 1]);
});

test('block store: what was dropped comes back empty', () => {
  const { tip, blocks, family } = store();
  blocks.put(family, 0, lsn(1), true, image(9));
  blocks.drop(family, lsn(2));
  equal(blocks.size(family), sizeMissing);

  blocks.put(family, 1, lsn(3), true, image(7));

  deepEqual(firstBytes(tip, blocks, family), [0, 7]);
});

test('block store: a store that begins later knows the sizes', () => {
  const { tip, blocks, family } = store();
  blocks.put(family, 6, lsn(1), true, image(9));

  equal(new BlockStore(tip).size(family), 7);
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`block store: any history reads like an array of pages (seed ${String(seed)})`, () => {
    const { tip, blocks, family } = store();
    const random = generator(seed);
    let model: number[] | null = null;

    for (let step = 1; step < 400; step += 1) {
      model = randomStep(model, { blocks, family, at: lsn(step), random });
      deepEqual(firstBytes(tip, blocks, family), model ?? [], `step ${String(step)}`);
      equal(blocks.size(family), model?.length ?? sizeMissing);
    }
  });
}

interface Step {
  readonly blocks: BlockStore;
  readonly family: FamilyId;
  readonly at: Lsn;
  readonly random: (bound: number) => number;
}

/** Does one thing to the store and to the model: first bytes of pages, or null for no fork. */
function randomStep(model: number[] | null, { blocks, family, at, random }: Step): number[] | null {
  const block = random(12);
  const kind = random(10);
  if (kind === 0) {
    blocks.drop(family, at);
    return null;
  }
  if (kind === 1) {
    blocks.truncate(family, at, block);
    return model === null ? null : model.slice(0, block);
  }
  if (kind === 2) {
    blocks.create(family, at);
    return model ?? [];
  }
  const next = [...(model ?? [])];
  while (next.length <= block) next.push(0);
  if (kind === 3) {
    blocks.zero(family, at, block);
    next[block] = 0;
  } else if (kind < 7) {
    blocks.put(family, block, at, true, image(step(kind)));
    next[block] = step(kind);
  } else {
    blocks.put(family, block, at, false, change());
    next[block] = (next[block]! & ~3) | 1;
  }
  return next;
}

function step(kind: number): number {
  return kind * 16 + 2;
}

/** A linear congruential generator. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % bound;
  };
}
