/** Delta files: what was written is found again, and nothing damaged is ever served. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyBlock, keyFamily, type Key } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { DeltaCursor } from '../../src/layers/delta-cursor.ts';
import { DeltaLayer, openDelta } from '../../src/layers/delta-layer.ts';
import { writeDelta } from '../../src/layers/delta-writer.ts';
import { buildFamilySection } from '../../src/layers/family-section.ts';
import { rangeContains } from '../../src/layers/key-range.ts';
import { type OpenLayer } from '../../src/layers/open-layer.ts';
import { VersionList } from '../../src/layers/version-list.ts';
import {
  collectFile,
  deltaFile,
  deltaOf,
  everyKey,
  isCorrupt,
  keyIn,
  Model,
  openLayer,
  randomNumbers,
  readFrom,
  seenIn,
  textBytes,
  timeline,
  withIndex,
  type Seen,
} from './builders.ts';

function collect(layer: DeltaLayer, key: Key, atOrBelow: number, above = -1): Seen[] {
  const out = new VersionList();
  layer.collect(key, { above, atOrBelow }, out);
  return seenIn(out);
}

/** A small file: two families, three keys, one of them with several segments. */
function smallLayer(families: FamilyTable): OpenLayer {
  const layer = openLayer(families, 5);
  layer.put(keyIn(families, { block: 3 }), lsn(10), true, textBytes('page of block 3'));
  layer.put(keyIn(families, { block: 7 }), lsn(20), false, textBytes('change of block 7'));
  layer.put(keyIn(families, { relation: 2 }), lsn(30), true, new Uint8Array(4_500).fill(120));
  layer.put(keyIn(families, { block: 3 }), lsn(30), false, textBytes('change of block 3'));
  layer.put(keyIn(families, { relation: 2 }), lsn(40), true, textBytes('new'));
  return layer;
}

function smallFile(families: FamilyTable): Uint8Array {
  return deltaFile(families, smallLayer(families).cursor(), { begin: 5, end: 50 }).bytes;
}

/** Opens and reads every key of a file, entirely. */
function readAll(bytes: Uint8Array): Seen[][] {
  const families = new FamilyTable();
  const layer = openDelta(readFrom(bytes), bytes.length, families);
  const seen: Seen[][] = [];
  layer.visitKeys(everyKey(families), (key) => {
    const out = new VersionList();
    let atOrBelow = 100;
    do {
      out.clear();
      layer.collect(key, { above: -1, atOrBelow }, out);
      if (out.count > 0) seen.push(seenIn(out));
      atOrBelow = out.count === 0 ? -1 : out.lsn(out.count - 1) - 1;
    } while (atOrBelow >= 0);
  });
  return seen;
}

test('delta: versions come back newest first, down to one that needs no older', () => {
  const families = new FamilyTable();
  const delta = deltaOf(smallLayer(families), 49);

  deepEqual(collect(delta, keyIn(families, { block: 3 }), 49), [
    [30, 'change of block 3'],
    [10, 'page of block 3'],
  ]);
});

test('delta: limits cut both ends', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  for (const at of [10, 20, 30, 40]) layer.put(key, lsn(at), false, textBytes(String(at)));
  const delta = deltaOf(layer, 50);

  deepEqual(collect(delta, key, 30, 10), [
    [30, '30'],
    [20, '20'],
  ]);
});

test('delta: keys that are not in it have no versions, also between and beyond those that are', () => {
  const families = new FamilyTable();
  const delta = deltaOf(smallLayer(families), 49);
  const others = [
    { block: 0 },
    { block: 5 },
    { block: 8 },
    { relation: 3 },
    { relation: 2, fork: 1 },
  ];

  const seen = others.map((parts) => collect(delta, keyIn(families, parts), 49));

  deepEqual(seen, [[], [], [], [], []]);
});

test('delta: many versions at one LSN, over several segments, keep their order', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  function value(at: number): string {
    return `${at}`.padStart(1_000, '.');
  }
  for (let at = 0; at < 100; at += 1) layer.put(key, lsn(10), false, textBytes(value(at)));
  const delta = deltaOf(layer, 10);

  ok(delta.segmentCount > 2);
  deepEqual(
    collect(delta, key, 10),
    Array.from({ length: 100 }, (_, at) => [10, value(99 - at)]),
  );
});

test('delta: LSNs more than 4 GiB apart come back exactly', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  const key = keyIn(families, {});
  const lsns = [1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 3, 2 ** 52];
  for (const at of lsns) layer.put(key, lsn(at), false, textBytes('x'));
  const delta = deltaOf(layer, 2 ** 52 + 1);

  deepEqual(
    collect(delta, key, 2 ** 52).map(([at]) => at),
    lsns.toReversed(),
  );
});

test('delta: segments beyond 4 GiB are read at their true offset', () => {
  const families = new FamilyTable();
  const key = keyIn(families, { block: 1 });
  const positions = [8, 600_000_000, 600_000_003];
  const rows = buildFamilySection([
    { family: families.family(keyFamily(key)), firstEntry: 0, firstValue: 0 },
  ]);
  const columns = Uint32Array.of(0, 1, ...positions, 10, 10, 0, 0, 0);
  const index = Buffer.concat([rows, new Uint8Array(columns.buffer)]);
  const counts = { versions: 2, families: 1, entries: 2, pages: 0, values: 0 };
  const sizes = { indexOffset: positions[2]! * 8, fileSize: 5e9, headerCrc: 0, checksum: 0 };
  const identity = { timeline, begin: lsn(0), end: lsn(20) };
  const asked: number[][] = [];
  function readAt(offset: number, size: number): Uint8Array {
    asked.push([offset, size]);
    return new Uint8Array(size);
  }
  const frame = { ...identity, ...counts, ...sizes, index: Uint8Array.from(index) };
  const delta = new DeltaLayer(frame, readAt, families);

  throws(() => collect(delta, key, 10), /layer value checksum mismatch/);

  deepEqual(asked, [[4_800_000_000, 24]]);
});

test('delta: the summary names the range from the first key to just after the last', () => {
  const families = new FamilyTable();
  const { summary } = deltaFile(families, smallLayer(families).cursor(), { begin: 5, end: 50 });
  function contains(parts: { relation?: number; block?: number }): boolean {
    return rangeContains(families, summary.keys, keyIn(families, parts));
  }

  deepEqual(
    [{ block: 2 }, { block: 3 }, { relation: 2 }, { relation: 2, block: 1 }].map(contains),
    [false, true, true, false],
  );
});

test('delta: a size limit ends the file between two keys, and the source goes on from there', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  for (let at = 0; at < 400; at += 1)
    layer.put(keyIn(families, { block: at % 100 }), lsn(at), false, new Uint8Array(1_000));
  const source = layer.cursor();
  const options = { families, timeline, begin: lsn(0), end: lsn(400), sizeMax: 150_000 };

  const counts: number[][] = [];
  while (!source.ended) {
    const { bytes } = collectFile(writeDelta(source, options));
    const delta = openDelta(readFrom(bytes), bytes.length, families);
    const keys: Key[] = [];
    delta.visitKeys(everyKey(families), (key) => keys.push(key));
    counts.push(keys.map((key) => collect(delta, key, 400).length));
  }

  ok(counts.length > 1);
  deepEqual(counts.flat(), Array<number>(100).fill(4));
});

test('delta: every flipped bit pattern of a byte is detected on open or on read', () => {
  const whole = smallFile(new FamilyTable());
  const expected = readAll(whole);
  equal(expected.flat().length, 5);

  const unseen: number[] = [];
  for (let at = 0; at < whole.length; at += 1) {
    const damaged = whole.slice();
    damaged[at]! ^= 1 << (at % 8);
    if (!isCorrupt(() => readAll(damaged))) unseen.push(at);
  }

  deepEqual(unseen, []);
});

test('delta: a file cut anywhere, or with bytes added, is refused', () => {
  const whole = smallFile(new FamilyTable());

  const accepted: number[] = [];
  for (let size = 0; size < whole.length; size += 1)
    if (!isCorrupt(() => readAll(whole.slice(0, size)))) accepted.push(size);
  if (!isCorrupt(() => readAll(Buffer.concat([whole, new Uint8Array(8)])))) accepted.push(-1);

  deepEqual(accepted, []);
});

test('delta: the end of another file does not pass, nor does a segment in the place of another', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  for (const block of [0, 1])
    layer.put(keyIn(families, { block }), lsn(10), true, textBytes(`block ${block}`));
  const one = deltaFile(families, layer.cursor(), { begin: 0, end: 50 }).bytes;
  const other = deltaFile(families, layer.cursor(), { begin: 0, end: 60 }).bytes;
  const swapped = one.slice();
  swapped.set(one.subarray(64, 88), 88);
  swapped.set(one.subarray(88, 112), 64);

  throws(() => readAll(Buffer.concat([one.subarray(0, 64), other.subarray(64)])), /another file/);
  throws(() => readAll(swapped), /layer value checksum mismatch/);
});

test('delta: an index that contradicts itself is refused, however its checksum fits', () => {
  const whole = smallFile(new FamilyTable());
  const rows = 2 * 24;
  const segments = 4;
  const changes: Record<string, (index: DataView) => void> = {
    'families out of order': (index) => {
      index.setUint32(12, 9, true);
    },
    'a fork that cannot be': (index) => {
      index.setUint8(1, 8);
    },
    'entries of a family beyond the last': (index) => {
      index.setUint32(24 + 16, 9, true);
    },
    'blocks out of order': (index) => {
      index.setUint32(rows, 8, true);
    },
    'a position that goes back': (index) => {
      index.setUint32(rows + (segments + 1) * 4, 8, true);
    },
    'segments that end elsewhere': (index) => {
      index.setUint32(rows + 2 * segments * 4, 999_999, true);
    },
    'an LSN that is not in the layer': (index) => {
      index.setUint32(rows + (2 * segments + 1) * 4, 4, true);
    },
  };

  for (const [name, change] of Object.entries(changes)) {
    const changed = withIndex(whole, (index) => {
      change(new DataView(index.buffer, index.byteOffset, index.byteLength));
    });
    throws(() => readAll(changed), /layer index malformed/, name);
  }
});

test('delta: any index with a fitting checksum is read or refused, never crashed on', () => {
  const random = randomNumbers(9);
  const whole = smallFile(new FamilyTable());
  let refused = 0;
  for (let round = 0; round < 2_000; round += 1) {
    const changed = withIndex(whole, (index) => {
      index[random(index.length)] = random(256);
    });
    if (isCorrupt(() => readAll(changed))) refused += 1;
  }

  ok(refused > 1_000);
});

test('delta: a cursor reads many small segments at once', () => {
  const families = new FamilyTable();
  const layer = openLayer(families);
  for (let block = 0; block < 1_000; block += 1)
    layer.put(keyIn(families, { block }), lsn(10), true, textBytes(`block ${block}`));
  const { bytes } = deltaFile(families, layer.cursor(), { begin: 0, end: 20 });
  let reads = 0;
  function readAt(offset: number, size: number): Uint8Array {
    reads += 1;
    return bytes.subarray(offset, offset + size);
  }
  const delta = openDelta(readAt, bytes.length, families);
  reads = 0;

  const blocks: number[] = [];
  const cursor = new DeltaCursor(delta);
  while (!cursor.ended) {
    blocks.push(keyBlock(cursor.key));
    cursor.advance();
  }

  deepEqual(blocks, [...Array(1_000).keys()]);
  equal(reads, 1);
});

test('delta: a cursor refuses a damaged segment when it comes to it', () => {
  const families = new FamilyTable();
  const damaged = smallFile(families);
  damaged[64 + 100]! ^= 1;
  const cursor = new DeltaCursor(openDelta(readFrom(damaged), damaged.length, families));

  throws(() => {
    while (!cursor.ended) cursor.advance();
  }, /layer value checksum mismatch/);
});

test('delta: random bytes are refused, never misread', () => {
  const random = randomNumbers(7);
  for (let round = 0; round < 200; round += 1) {
    const bytes = Uint8Array.from({ length: random(400) }, () => random(256));
    ok(isCorrupt(() => readAll(bytes)));
  }
});

for (const seed of [1, 2, 3])
  test(`delta: agrees with a model of arrays (seed ${seed})`, () => {
    const random = randomNumbers(seed);
    const families = new FamilyTable();
    const layer = openLayer(families);
    const model = new Model();
    const keys = Array.from({ length: 500 }, () =>
      keyIn(families, { relation: random(30), fork: random(4), block: random(100) }),
    );
    for (let at = 0; at < 10_000; at += 1) {
      const key = keys[random(random(2) === 0 ? 5 : keys.length)]!;
      const position = lsn(Math.floor(at / 3));
      const init = random(10) === 0;
      const text = `value ${at} `.repeat(random(100));
      layer.put(key, position, init, textBytes(text));
      model.put(key, position, init, text);
    }
    const delta = deltaOf(layer, 4_000);

    for (const key of keys)
      for (const at of [random(3_500), 3_999])
        deepEqual(collect(delta, key, at), model.collect(key, lsn(at)));
  });
