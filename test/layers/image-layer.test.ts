/** Image files: pages and values as of one LSN, runs for direct reading, and damage detected. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { FamilyTable, keyFamily, keyKinds, type Key } from '../../src/base/key.ts';
import { lsn } from '../../src/base/lsn.ts';
import { buildFamilySection } from '../../src/layers/family-section.ts';
import { ImageLayer, openImage } from '../../src/layers/image-layer.ts';
import { ImageWriter } from '../../src/layers/image-writer.ts';
import { wholeKeySpace } from '../../src/layers/key-range.ts';
import { VersionList } from '../../src/layers/version-list.ts';
import {
  everyKey,
  imageFile,
  isCorrupt,
  keyIn,
  openFile,
  randomNumbers,
  sourceOf,
  textBytes,
  textOf,
  timeline,
  withIndex,
  type KeyParts,
} from './builders.ts';

const pageSize = 8_192;

function imageWriter(families: FamilyTable): ImageWriter {
  return new ImageWriter({ families, timeline, lsn: lsn(100) });
}

/** A page whose bytes all say which one it is; page 0 is all zero. */
function page(number: number): Uint8Array {
  return new Uint8Array(pageSize).fill(number);
}

/** Blocks 0, 1, 2 and 4 of one relation, a zero page at 3, another fork, and two sizes. */
function smallFile(families: FamilyTable): Uint8Array {
  const writer = imageWriter(families);
  [1, 2, 3, 0, 5].forEach((number, block) => {
    writer.addPage(keyIn(families, { block }), page(number));
  });
  writer.addPage(keyIn(families, { fork: 2, block: 7 }), page(9));
  writer.addValue(keyIn(families, { kind: keyKinds.relationSize }), textBytes('five'));
  writer.addValue(
    keyIn(families, { kind: keyKinds.relationSize, fork: 2 }),
    textBytes('eight blocks'),
  );
  return imageFile(writer).bytes;
}

/** What an image says of a key: a page's number, a value's text, or null for nothing. */
function look(image: ImageLayer, key: Key): number | string | null {
  const out = new VersionList();
  if (!image.collect(key, out)) return null;
  if (!out.isPage(0)) return textOf(out.bytes(0));
  return out.size(0) === 0 ? 0 : out.bytes(0)[pageSize - 1]!;
}

function readAll(bytes: Uint8Array): (number | string | null)[] {
  const families = new FamilyTable();
  const image = openFile(families, bytes);
  const seen: (number | string | null)[] = [];
  image.visitKeys(everyKey(families), (key) => seen.push(look(image, key)));
  return seen;
}

test('image: pages and values come back, all-zero pages as empty ones', () => {
  const families = new FamilyTable();
  const image = openFile(families, smallFile(families));
  const asked: KeyParts[] = [
    { block: 0 },
    { block: 2 },
    { block: 3 },
    { block: 4 },
    { fork: 2, block: 7 },
    { kind: keyKinds.relationSize },
    { kind: keyKinds.relationSize, fork: 2 },
  ];

  const seen = asked.map((parts) => look(image, keyIn(families, parts)));

  deepEqual(seen, [1, 3, 0, 5, 9, 'five', 'eight blocks']);
});

test('image: keys it does not hold have no value', () => {
  const families = new FamilyTable();
  const image = openFile(families, smallFile(families));
  const asked: KeyParts[] = [
    { block: 5 },
    { fork: 2, block: 6 },
    { fork: 2, block: 8 },
    { relation: 2 },
    { kind: keyKinds.relationSize, block: 1 },
  ];

  const seen = asked.map((parts) => look(image, keyIn(families, parts)));

  deepEqual(seen, [null, null, null, null, null]);
});

test('image: all-zero pages take no room', () => {
  const families = new FamilyTable();
  const writer = imageWriter(families);
  for (let block = 0; block < 1_000; block += 1)
    writer.addPage(keyIn(families, { block }), page(0));

  const { bytes } = imageFile(writer);

  ok(bytes.length < 2 * pageSize);
});

test('image: a stretch goes up to a gap, a zero page or the count asked for', () => {
  const families = new FamilyTable();
  const image = openFile(families, smallFile(families));

  const stretches = [0, 1, 3, 4, 5].map((block) => image.stretch(keyIn(families, { block }), 100));

  deepEqual(stretches, [3, 2, 0, 1, 0]);
  equal(image.stretch(keyIn(families, {}), 2), 2);
});

test('image: pages read at once are those read one by one', () => {
  const families = new FamilyTable();
  const image = openFile(families, smallFile(families));
  const pages = new Uint8Array(2 * pageSize);

  image.readStretch(keyIn(families, { block: 1 }), pages);

  const list = new VersionList();
  for (const block of [1, 2]) {
    image.collect(keyIn(families, { block }), list);
    deepEqual(pages.subarray((block - 1) * pageSize, block * pageSize), list.bytes(0));
    list.clear();
  }
});

test('image: pages read at once are verified', () => {
  const families = new FamilyTable();
  const bytes = smallFile(families);
  bytes[3 * pageSize + 5]! ^= 1;
  const image = openFile(families, bytes);

  image.readStretch(keyIn(families, {}), new Uint8Array(2 * pageSize));
  throws(() => {
    image.readStretch(keyIn(families, {}), new Uint8Array(3 * pageSize));
  }, /layer page checksum mismatch\. offset=24576/);
});

test('image: a page lies in memory of the list, which the next page takes over', () => {
  const families = new FamilyTable();
  const image = openFile(families, smallFile(families));
  const list = new VersionList();
  const seen: Uint8Array[] = [];

  for (const block of [1, 2]) {
    list.clear();
    image.collect(keyIn(families, { block }), list);
    seen.push(list.bytes(0));
  }

  equal(seen[0]!.buffer, seen[1]!.buffer);
  deepEqual(seen[0], page(3));
});

test('image: pages that the file has no more are missed', () => {
  const families = new FamilyTable();
  const bytes = smallFile(families);
  const { readAt } = sourceOf(bytes);
  const image = openImage({ readAt, readInto: () => false }, bytes.length, families);

  throws(() => {
    image.readStretch(keyIn(families, {}), new Uint8Array(2 * pageSize));
  }, /layer truncated/);
  throws(() => look(image, keyIn(families, {})), /layer truncated/);
});

test('image: every flipped bit pattern of a byte is detected on open or on read', () => {
  const whole = smallFile(new FamilyTable());
  deepEqual(readAll(whole), [1, 2, 3, 0, 5, 9, 'five', 'eight blocks']);

  const unseen: number[] = [];
  const damaged = whole.slice();
  for (let at = 0; at < whole.length; at += at % pageSize < 100 || at > 7 * pageSize ? 1 : 61) {
    damaged[at]! ^= 1 << (at % 8);
    if (!isCorrupt(() => readAll(damaged))) unseen.push(at);
    damaged[at] = whole[at]!;
  }

  deepEqual(unseen, []);
});

test('image: any index with a fitting checksum is read or refused, never crashed on', () => {
  const random = randomNumbers(9);
  const whole = smallFile(new FamilyTable());
  let refused = 0;
  for (let round = 0; round < 1_000; round += 1) {
    const changed = withIndex(whole, (index) => {
      index[random(index.length)] = random(256);
    });
    if (isCorrupt(() => readAll(changed))) refused += 1;
  }

  ok(refused > 500);
});

test('image: a file cut anywhere is refused', () => {
  const whole = smallFile(new FamilyTable());

  const accepted: number[] = [];
  for (let size = 0; size < whole.length; size += size > 7 * pageSize ? 1 : 512)
    if (!isCorrupt(() => readAll(whole.slice(0, size)))) accepted.push(size);

  deepEqual(accepted, []);
});

test('image: an image of nothing can be written, and has no value for any key', () => {
  const families = new FamilyTable();
  const image = openFile(families, imageFile(imageWriter(families)).bytes);

  equal(look(image, keyIn(families, {})), null);
});

test('image: keys out of order are a bug', () => {
  const families = new FamilyTable();
  const writer = imageWriter(families);
  writer.addPage(keyIn(families, { block: 4 }), page(1));

  throws(() => {
    writer.addPage(keyIn(families, { block: 3 }), page(1));
  }, /in order/);
});

test('image: chunks stay small while thousands of pages go through', () => {
  const families = new FamilyTable();
  const writer = imageWriter(families);
  let largest = 0;
  let size = 0;
  for (let block = 0; block < 2_000; block += 1) {
    writer.addPage(keyIn(families, { block }), page(1 + (block % 255)));
    if (!writer.full) continue;
    const chunk = writer.take();
    largest = Math.max(largest, chunk.length);
    size += chunk.length;
  }
  const summary = writer.finish(wholeKeySpace);
  size += writer.take().length;

  ok(largest <= 2 ** 20 + pageSize);
  equal(summary.size, size);
});

test('image: pages beyond 4 GiB are read at their true offset', () => {
  const families = new FamilyTable();
  const key = keyIn(families, { block: 599_999 });
  const pages = 600_000;
  const family = families.family(keyFamily(key));
  const rows = buildFamilySection([{ family, firstEntry: 0, firstValue: 0 }]);
  const columns = new Uint32Array(3 + pages + 1);
  columns.set([0, pages, 1]);
  const index = Uint8Array.from(Buffer.concat([rows, new Uint8Array(columns.buffer)]));
  const counts = { versions: pages, families: 1, entries: 1, pages, values: 0 };
  const valuesOffset = pageSize * (pages + 1);
  const sizes = { indexOffset: valuesOffset, fileSize: 5e9, headerCrc: 0, checksum: 0 };
  const asked: number[][] = [];
  function readInto(target: Uint8Array, offset: number): boolean {
    asked.push([offset, target.length]);
    target.fill(1);
    return true;
  }
  const { readAt } = sourceOf(index);
  const frame = { timeline, begin: lsn(1), end: lsn(2), ...counts, ...sizes, index };
  const image = new ImageLayer(frame, { readAt, readInto }, families);

  throws(() => look(image, key), /layer page checksum mismatch/);

  deepEqual(asked, [[4_915_200_000, pageSize]]);
});

for (const seed of [1, 2])
  test(`image: agrees with a map (seed ${seed})`, () => {
    const random = randomNumbers(seed);
    const families = new FamilyTable();
    const model = new Map<Key, number | string>();
    for (let count = 0; count < 300; count += 1) {
      const relation = 1 + random(6);
      const isPage = random(3) > 0;
      const kind = isPage ? keyKinds.relationBlock : keyKinds.relationSize;
      const key = keyIn(families, { kind, relation, block: random(60) });
      model.set(key, isPage ? random(4) : `size ${random(1_000)}`);
    }
    const writer = imageWriter(families);
    for (const [key, value] of [...model].sort(([a], [b]) => families.compare(a, b)))
      if (typeof value === 'number') writer.addPage(key, page(value));
      else writer.addValue(key, textBytes(value));
    const image = openFile(families, imageFile(writer).bytes);

    for (let relation = 0; relation < 8; relation += 1)
      for (let block = 0; block < 62; block += 1)
        for (const kind of [keyKinds.relationBlock, keyKinds.relationSize]) {
          const key = keyIn(families, { kind, relation, block });
          equal(look(image, key), model.get(key) ?? null);
        }
  });
