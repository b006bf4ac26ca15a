/** Which blocks have versions in a range of LSNs: what the indexes tell, and what only segments do. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, type Key } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { changes, hasChanged, markChanged } from '../../src/layers/changed-blocks.ts';
import { ImageWriter } from '../../src/layers/image-writer.ts';
import { type LayerMap } from '../../src/layers/layer-map.ts';
import {
  emptyMap,
  flush,
  imageEntry,
  imageFile,
  keyIn,
  Model,
  openFile,
  openLayer,
  randomNumbers,
} from './builders.ts';

/** How many blocks are looked at. */
const count = 6;
const { none, perhaps, certain } = changes;

/** The marks of blocks 0 to 5. */
function marked(map: LayerMap, above: number, atOrBelow: number): number[] {
  const marks = new Uint8Array(count);
  const first = keyIn(map.families, {});
  markChanged({ map, first, limits: { above, atOrBelow } }, marks);
  return [...marks];
}

function put(map: LayerMap, block: number, at: number, init = false): void {
  map.open.put(keyIn(map.families, { block }), lsn(at), init, new Uint8Array(1));
}

test('changed blocks: versions in memory, frozen or not, count within the limits', () => {
  const map = emptyMap(new FamilyTable());
  for (const [block, at] of [
    [0, 10],
    [1, 20],
    [2, 21],
  ] as const)
    put(map, block, at);
  map.freeze(lsn(25), openLayer(map.families, 26));
  for (const [block, at] of [
    [3, 30],
    [4, 40],
    [0, 41],
  ] as const)
    put(map, block, at);

  deepEqual(marked(map, 20, 40), [none, none, certain, certain, certain, none]);
  deepEqual(marked(map, 20, 41), [certain, none, certain, certain, certain, none]);
});

test('changed blocks: a file that begins within the limits is told from its index', () => {
  const map = emptyMap(new FamilyTable());
  put(map, 0, 10);
  flush(map, lsn(20));
  for (const [block, at] of [
    [1, 21],
    [2, 30],
    [1, 31],
  ] as const)
    put(map, block, at);
  flush(map, lsn(40));

  deepEqual(marked(map, 20, 29), [none, certain, none, none, none, none]);
  deepEqual(marked(map, 20, 40), [none, certain, certain, none, none, none]);
});

test('changed blocks: of a file that begins before, the last version tells', () => {
  const map = emptyMap(new FamilyTable());
  for (const [block, at] of [
    [0, 10],
    [1, 10],
    [2, 10],
    [1, 20],
    [2, 30],
  ] as const)
    put(map, block, at);
  flush(map, lsn(40));
  function became(block: number, above: number, atOrBelow: number): boolean {
    const first = keyIn(map.families, { block });
    return hasChanged({ map, first, limits: { above, atOrBelow } });
  }

  deepEqual(marked(map, 10, 40), [perhaps, perhaps, perhaps, none, none, none]);
  deepEqual(
    [0, 1, 2].map((block) => became(block, 10, 40)),
    [false, true, true],
  );
  deepEqual(
    [0, 1, 2].map((block) => became(block, 20, 29)),
    [false, false, false],
  );
  deepEqual(marked(map, 40, 50), [none, none, none, none, none, none]);
});

test('changed blocks: an image is no change', () => {
  const families = new FamilyTable();
  const map = emptyMap(families);
  put(map, 1, 10);
  flush(map, lsn(20));
  const writer = new ImageWriter({ families, timeline: new Uint8Array(16), lsn: lsn(20) });
  for (const block of [0, 1, 2])
    writer.addPage(keyIn(families, { block }), new Uint8Array(8_192).fill(1));
  map.replace([], [imageEntry(openFile(families, imageFile(writer).bytes))]);

  deepEqual(marked(map, 5, 40), [none, certain, none, none, none, none]);
});

test('changed blocks: an ancestor counts up to the branch point', () => {
  const families = new FamilyTable();
  const parent = emptyMap(families);
  put(parent, 0, 10);
  flush(parent, lsn(15));
  put(parent, 1, 20);
  put(parent, 2, 30);
  const child = emptyMap(families, 26, { map: parent, lsn: lsn(25) });
  put(child, 3, 30);

  deepEqual(marked(child, 5, 40), [certain, certain, none, certain, none, none]);
  deepEqual(marked(child, 15, 29), [none, certain, none, none, none, none]);
  deepEqual(marked(child, 25, 40), [none, none, none, certain, none, none]);
});

/** A history over two timelines in files and memory, and the same in a model. */
function randomHistory(seed: number): { map: LayerMap; models: [Model, number][]; end: number } {
  const below = randomNumbers(seed);
  const families = new FamilyTable();
  let map = emptyMap(families);
  let model = new Model();
  const models: [Model, number][] = [[model, Infinity]];
  let at = 1;
  for (let step = 0; step < 400; step += 1) {
    at += below(3);
    const chance = below(100);
    if (chance < 4) flush(map, lsn(at));
    else if (chance < 7) map.freeze(lsn(at), openLayer(families, at + 1));
    else if (step === 200) {
      models[0]![1] = at;
      map = emptyMap(families, at + 1, { map, lsn: lsn(at) });
      model = new Model();
      models.unshift([model, Infinity]);
    } else {
      const key = keyIn(families, { block: below(count + 2), fork: below(2) });
      const init = below(4) === 0;
      map.open.put(key, lsn(at), init, new Uint8Array(below(3_000)));
      model.put(key, lsn(at), init, '');
      continue;
    }
    at += 1;
  }
  return { map, models, end: at };
}

function isInModel(models: [Model, number][], key: Key, above: number, atOrBelow: number): boolean {
  return models.some(([model, end]) =>
    (model.versions.get(key) ?? []).some(
      (version) => version.lsn > above && version.lsn <= Math.min(atOrBelow, end),
    ),
  );
}

test('changed blocks: in any history they are those that have versions within the limits', () => {
  const seen = [0, 0, 0];
  for (let seed = 1; seed <= 30; seed += 1) {
    const { map, models, end } = randomHistory(seed);
    const below = randomNumbers(seed + 1_000);
    for (let look = 0; look < 60; look += 1) {
      const above = below(end) - 1;
      const atOrBelow = above + below(end - above + 5);
      const marks = marked(map, above, atOrBelow);
      marks.forEach((mark, block) => {
        const first = keyIn(map.families, { block });
        const has = hasChanged({ map, first, limits: { above, atOrBelow } });
        const expected = isInModel(models, first, above, atOrBelow);
        const what = `seed=${seed} block=${block} above=${above} atOrBelow=${atOrBelow}`;
        seen[mark]! += 1;
        equal(has, expected, what);
        if (mark !== perhaps) equal(mark === certain, expected, what);
      });
    }
  }
  ok(
    seen.every((times) => times > 100),
    `none, perhaps and certain were met: ${seen.join(', ')}`,
  );
});
