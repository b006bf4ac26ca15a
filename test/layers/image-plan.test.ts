/** Which blocks of a delta layer are worth an image. */
import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyBlock, keyFamily, keyKinds, type KeyFamily } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { planImages, type ImageRule } from '../../src/layers/image-plan.ts';
import { deltaOf, keyIn, openLayer, type KeyParts } from './builders.ts';

const rule: ImageRule = { takes, pagesMin: 3, valuesMin_bytes: 1_000 };

function takes({ kind }: KeyFamily): boolean {
  return kind === keyKinds.relationBlock;
}

interface Written extends KeyParts {
  readonly from: number;
  readonly to: number;
  readonly values: readonly number[];
}

/** The stretches planned for a layer in which each block has values of the sizes given. */
function planned(...written: readonly Written[]): unknown[] {
  const families = new FamilyTable();
  const layer = openLayer(families);
  for (const { from, to, values, ...parts } of written)
    for (let block = from; block < to; block += 1)
      for (const size of values)
        layer.put(keyIn(families, { ...parts, block }), lsn(8), false, new Uint8Array(size));
  const stretches = planImages(deltaOf(layer, 8), families, rule);
  return stretches.map(({ first, pages }) => {
    const { relation, fork } = families.family(keyFamily(first));
    return { relation, fork, block: keyBlock(first), pages };
  });
}

test('image plan: blocks with enough bytes make a stretch, however many versions hold them', () => {
  const all = planned(
    { from: 7, to: 9, values: [1_000] },
    { from: 9, to: 10, values: [30_000, 30_000] },
    { from: 10, to: 13, values: new Array<number>(10).fill(100) },
  );

  deepEqual(all, [{ relation: 1, fork: 0, block: 7, pages: 6 }]);
});

test('image plan: a block without versions ends a stretch, and so does one with few bytes', () => {
  const all = planned(
    { from: 0, to: 5, values: [1_000] },
    { from: 6, to: 10, values: [1_000] },
    { from: 10, to: 11, values: [100] },
    { from: 11, to: 14, values: [1_000] },
  );

  deepEqual(all, [
    { relation: 1, fork: 0, block: 0, pages: 5 },
    { relation: 1, fork: 0, block: 6, pages: 4 },
    { relation: 1, fork: 0, block: 11, pages: 3 },
  ]);
});

test('image plan: a short stretch is left alone, and none goes on in another fork', () => {
  const all = planned(
    { from: 0, to: 2, values: [1_000] },
    { fork: 1, from: 2, to: 4, values: [1_000] },
    { relation: 2, from: 0, to: 3, values: [1_000] },
  );

  deepEqual(all, [{ relation: 2, fork: 0, block: 0, pages: 3 }]);
});

test('image plan: only blocks of relations are imaged', () => {
  deepEqual(planned({ kind: keyKinds.slruBlock, from: 0, to: 32, values: [1_000] }), []);
});
