/** The open layer: what is put comes back in order, by key and LSN, and as a file wants it. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyKinds, type Key } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { type OpenLayer } from '../../src/layers/open-layer.ts';
import { VersionList } from '../../src/layers/version-list.ts';
import {
  keyIn,
  Model,
  openLayer,
  randomNumbers,
  seenIn,
  textBytes,
  textOf,
  type Seen,
} from './builders.ts';

function collect(layer: OpenLayer, key: Key, atOrBelow: number, above = -1): Seen[] {
  const out = new VersionList();
  layer.collect(key, { above, atOrBelow }, out);
  return seenIn(out);
}

test('open layer: versions come newest first, down to one that needs no older', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  layer.put(key, lsn(10), false, textBytes('old'));
  layer.put(key, lsn(20), true, textBytes('page'));
  layer.put(key, lsn(30), false, textBytes('change'));

  const seen = collect(layer, key, 40);

  deepEqual(seen, [
    [30, 'change'],
    [20, 'page'],
  ]);
});

test('open layer: versions after the LSN asked for, and at or below the lower limit, are left out', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  for (const at of [10, 20, 30, 40]) layer.put(key, lsn(at), false, textBytes(String(at)));

  const seen = collect(layer, key, 30, 10);

  deepEqual(seen, [
    [30, '30'],
    [20, '20'],
  ]);
});

test('open layer: two puts at one LSN both count, the later one newer', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  layer.put(key, lsn(10), false, textBytes('first'));
  layer.put(key, lsn(10), false, textBytes('second'));

  const seen = collect(layer, key, 10);

  deepEqual(seen, [
    [10, 'second'],
    [10, 'first'],
  ]);
});

test('open layer: empty values are kept, also as the very first', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  layer.put(key, lsn(10), true, textBytes(''));

  deepEqual(collect(layer, key, 10), [[10, '']]);
});

test('open layer: values larger than a chunk, and those after them, come back whole', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const sizes = [5, 2 ** 20, 2 ** 20 + 1, 0, 3 * 2 ** 20, 7, 2 ** 20 - 3, 4];
  sizes.forEach((size, block) => {
    layer.put(keyIn(families, { block }), lsn(block), true, new Uint8Array(size).fill(block + 1));
  });

  const out = new VersionList();
  const found = sizes.map((_, block) => {
    out.clear();
    layer.collect(keyIn(families, { block }), { above: -1, atOrBelow: 99 }, out);
    const bytes = out.bytes(0);
    return { size: bytes.length, right: bytes.every((byte) => byte === block + 1) };
  });

  deepEqual(
    found,
    sizes.map((size) => ({ size, right: true })),
  );
});

test('open layer: an LSN that goes back is a bug', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  layer.put(keyIn(families, {}), lsn(20), true, textBytes('x'));

  throws(() => {
    layer.put(keyIn(families, {}), lsn(10), true, textBytes('y'));
  }, /LSNs never go back/);
});

test('open layer: a frozen layer takes no puts', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  layer.freeze(lsn(20));

  throws(() => {
    layer.put(keyIn(families, {}), lsn(30), true, textBytes('y'));
  }, /frozen/);
});

test('open layer: a cursor yields keys in file order, whatever order families were met in', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const parts = [
    { kind: keyKinds.relationSize, relation: 1, block: 0 },
    { relation: 9, block: 0xffff_ffff },
    { relation: 9, block: 2 },
    { database: 4, relation: 20, block: 1 },
    { relation: 9, fork: 1, block: 0 },
    { relation: 1, block: 7 },
  ];
  for (const part of parts)
    layer.put(keyIn(families, part), lsn(10), true, textBytes(JSON.stringify(part)));

  const seen: string[] = [];
  const cursor = layer.cursor();
  while (!cursor.ended) {
    seen.push(textOf(cursor.chunk.bytes.subarray(cursor.offset, cursor.offset + cursor.size)));
    cursor.advance();
  }

  deepEqual(
    seen,
    [3, 5, 2, 1, 4, 0].map((at) => JSON.stringify(parts[at])),
  );
});

test('open layer: memory goes back to the pool and is used again', () => {
  const families = new FamilyTable();
  const first = openLayer(families);
  first.put(keyIn(families, {}), lsn(10), true, textBytes('first'));
  const out = new VersionList();
  first.collect(keyIn(families, {}), { above: -1, atOrBelow: 10 }, out);
  const before = out.chunk(0);
  first.freeze(lsn(10));
  first.release();

  const second = openLayer(families, 11);
  second.put(keyIn(families, {}), lsn(11), true, textBytes('second'));
  out.clear();
  second.collect(keyIn(families, {}), { above: -1, atOrBelow: 11 }, out);

  equal(out.chunk(0), before);
});

for (const seed of [1, 2, 3])
  test(`open layer: agrees with a model of arrays (seed ${seed})`, () => {
    const random = randomNumbers(seed);
    const families = new FamilyTable();
    const layer = openLayer(families);
    const model = new Model();
    const keys = Array.from({ length: 3_000 }, () =>
      keyIn(families, { relation: random(30), block: random(2) * 0xffff_ff00 + random(200) }),
    );
    for (let at = 0; at < 20_000; at += 1) {
      const key = keys[random(keys.length)]!;
      const position = lsn(Math.floor(at / 3));
      const init = random(4) === 0;
      layer.put(key, position, init, textBytes(`value ${at}`));
      model.put(key, position, init, `value ${at}`);
    }

    for (const key of keys)
      for (const at of [random(7_000), 7_000])
        deepEqual(collect(layer, key, at), model.collect(key, lsn(at)));
  });

test('open layer: it is full when it is large, and when much WAL has gone by', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const { begin } = layer;
  const [near, far] = [lsn(begin + 1_000), lsn(begin + 20_000_000)];
  equal(layer.isFull(10_000_000, far), false); // there is nothing to be frozen

  layer.put(keyIn(families, {}), near, true, textBytes('page'));

  equal(layer.isFull(10_000_000, near), false);
  equal(layer.isFull(layer.size, near), true);
  equal(layer.isFull(10_000_000, lsn(far - 1)), false);
  equal(layer.isFull(10_000_000, far), true);
});
