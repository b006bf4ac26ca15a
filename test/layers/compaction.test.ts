/** Compaction and garbage plans: what is merged, and what may go. */
import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import {
  planCompaction,
  type CompactionSettings,
  type MergeTask,
} from '../../src/layers/compaction.ts';
import { planGarbage } from '../../src/layers/garbage.ts';
import { keyBound, type KeyRange } from '../../src/layers/key-range.ts';
import { type LayerDescription } from '../../src/layers/layer-description.ts';
import { description, keyIn } from './builders.ts';

const families = new FamilyTable();
const settings: CompactionSettings = {
  level0Count: 4,
  mergeCountMax: 6,
  deltaSize: 5_000,
};

function blocks(begin: number, end: number): KeyRange {
  const [from, to] = [begin, end].map((block) => keyBound(families, keyIn(families, { block })));
  return { begin: from!, end: to! };
}

function level0(begin: number, end: number, size = 1_000): LayerDescription {
  return description({ kind: 'delta', begin, end, size });
}

function level1(begin: number, end: number, keys: KeyRange, size = 1_000): LayerDescription {
  return description({ kind: 'delta', begin, end, level: 1, keys, size });
}

function image(at: number, keys: KeyRange, size = 1_000): LayerDescription {
  return description({ kind: 'image', begin: at, end: at + 1, level: 1, keys, size });
}

/** A plan, with the names of layers replaced by their LSNs. */
function shape(task: MergeTask | null): unknown {
  if (task === null) return null;
  const { inputs, begin, end } = task;
  return { inputs: inputs.map((layer) => [layer.begin, layer.end]), begin, end };
}

test('compaction: few level 0 deltas are left alone', () => {
  equal(planCompaction([level0(0, 10), level0(10, 20), level0(20, 30)], settings), null);
});

test('compaction: many level 0 deltas are merged, the oldest first, up to a limit', () => {
  const layers = [5, 3, 1, 0, 2, 4, 7, 6].map((at) => level0(at * 10, at * 10 + 10));

  deepEqual(shape(planCompaction(layers, settings)), {
    inputs: [0, 1, 2, 3, 4, 5].map((at) => [at * 10, at * 10 + 10]),
    begin: 0,
    end: 60,
  });
});

test('compaction: level 1 runs no larger than what is merged go along, larger ones stay', () => {
  const layers = [
    level1(0, 10, blocks(0, 50), 90_000),
    level1(10, 20, blocks(0, 5), 2_000),
    level1(10, 20, blocks(5, 50), 1_500),
    ...[2, 3, 4, 5].map((at) => level0(at * 10, at * 10 + 10)),
  ];

  deepEqual(shape(planCompaction(layers, settings)), {
    inputs: [
      [10, 20],
      [10, 20],
      [20, 30],
      [30, 40],
      [40, 50],
      [50, 60],
    ],
    begin: 10,
    end: 60,
  });
});

test('garbage: what images before the horizon hide may go', () => {
  const keys = blocks(0, 100);
  const [old, base] = [level1(0, 10, blocks(10, 90)), image(5, keys)];
  const layers = [
    old,
    base,
    level1(10, 20, keys),
    image(12, blocks(0, 50)),
    image(13, blocks(50, 100)),
  ];

  const garbage = planGarbage(layers, { horizon: lsn(15), retained: [] });

  deepEqual(garbage, [old, base]);
});

test('garbage: an image after the horizon frees nothing', () => {
  const keys = blocks(0, 100);
  const layers = [level1(0, 10, keys), image(20, keys)];

  deepEqual(planGarbage(layers, { horizon: lsn(19), retained: [] }), []);
});

test('garbage: images that leave a gap free nothing', () => {
  const layers = [
    level1(0, 10, blocks(0, 100)),
    image(9, blocks(0, 50)),
    image(9, blocks(51, 100)),
  ];

  deepEqual(planGarbage(layers, { horizon: lsn(20), retained: [] }), []);
});

test('garbage: a branch point keeps what it can see', () => {
  const keys = blocks(0, 100);
  const layers = [level1(0, 10, keys), level1(10, 20, keys), image(19, keys)];

  const all = planGarbage(layers, { horizon: lsn(30), retained: [] });
  const some = planGarbage(layers, { horizon: lsn(30), retained: [lsn(9)] });

  deepEqual(all, layers.slice(0, 2));
  deepEqual(some, layers.slice(1, 2));
});

test('garbage: a delta that an image cuts through stays', () => {
  const keys = blocks(0, 100);
  const layers = [level1(0, 20, keys), image(10, keys)];

  deepEqual(planGarbage(layers, { horizon: lsn(15), retained: [] }), []);
});
