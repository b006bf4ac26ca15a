/** Page images from real WAL, in every compression, and the decompressors alone. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { lz4Decompress } from '../../src/postgres/lz4-block.ts';
import { itemFlags, itemFlagsOf, itemOffset, slotCount } from '../../src/postgres/page-items.ts';
import { PageHeader, pageSize } from '../../src/postgres/page.ts';
import { valueTags } from '../../src/postgres/page-value.ts';
import { pglzDecompress } from '../../src/postgres/pglz.ts';
import {
  ImageValue,
  imageValueSize,
  restoreImage,
  restoreImageBytes,
  restoreImageValue,
  WalImageValue,
  writeImageValue,
} from '../../src/postgres/wal-image.ts';
import { imageBitsOf, type WalRecord } from '../../src/postgres/wal-record.ts';
import { fixtureReader, readRecords, walFixture } from './wal-fixture.ts';

/** Calls `visit` for every block image of the fixture, with its restored page. */
function forEachImage(
  major: number,
  visit: (record: WalRecord, id: number, page: DataView) => void,
): void {
  const fixture = walFixture(major);
  const page = new DataView(new ArrayBuffer(pageSize));
  readRecords(fixtureReader(fixture), major, { bytes: fixture.bytes, step: 2 ** 22 }, (record) => {
    for (let id = 0; id < record.blockCount; id += 1) {
      if (!record.blocks[id]!.hasImage || !record.blocks[id]!.present) continue;
      new Uint8Array(page.buffer).fill(0xaa);
      restoreImage(record, id, page, major);
      visit(record, id, page);
    }
  });
}

function methodOf(record: WalRecord, id: number): string {
  const bits = imageBitsOf(record.major);
  const { imageInfo } = record.blocks[id]!;
  return (['pglz', 'lz4', 'zstd'] as const).find((name) => (imageInfo & bits[name]) !== 0) ?? 'off';
}

/** The text column of a tuple of the fixture's table `pages2 (id int, body text)`. */
function bodyOf(page: DataView, slot: number): string {
  const at = itemOffset(page, slot);
  if (at + 23 > pageSize || at + page.getUint8(at + 22) + 5 > pageSize) return '';
  const data = at + page.getUint8(at + 22);
  const size = (page.getUint8(data + 4) >>> 1) - 1;
  const text = new Uint8Array(
    page.buffer,
    data + 5,
    Math.max(0, Math.min(size, pageSize - data - 5)),
  );
  return `${page.getInt32(data, true)}: ${Buffer.from(text).toString('latin1')}`;
}

/** Whether all tuples of the page are the table's, whole. */
function isFixturePage(page: DataView): boolean {
  for (let slot = 1; slot <= slotCount(page); slot += 1) {
    if (itemFlagsOf(page, slot) !== itemFlags.normal) continue;
    if (!/^(\d+): word( \1){20}$/.test(bodyOf(page, slot))) return false;
  }
  return slotCount(page) > 15;
}

for (const [major, methods] of [
  [15, ['lz4', 'off', 'pglz', 'zstd']],
  [18, ['off', 'pglz']],
] as const)
  test(`WalImage: ${major} restores every tuple under ${methods.join(', ')}`, () => {
    const seen = new Set<string>();

    forEachImage(major, (record, id, page) => {
      if (isFixturePage(page)) seen.add(methodOf(record, id));
    });

    deepEqual([...seen].sort(), methods);
  });

test('WalImage: the hole is zeros and ends where the page header says', () => {
  let checked = 0;

  forEachImage(15, (record, id, page) => {
    const { holeOffset, holeSize } = record.blocks[id]!;
    if (holeSize === 0) return;
    const hole = new Uint8Array(page.buffer, holeOffset, holeSize);
    equal(PageHeader.lower.get(page, 0), holeOffset);
    equal(PageHeader.upper.get(page, 0), holeOffset + holeSize);
    ok(hole.every((byte) => byte === 0));
    checked += 1;
  });

  ok(checked > 5);
});

test('WalImage: a stored image restores to the page; a whole one bears the record’s end', () => {
  const tags = new Set<number>();

  forEachImage(15, (record, id, page) => {
    const size = imageValueSize(record, id);
    const target = new Uint8Array(size + 24).fill(0xee);
    const value = new DataView(target.buffer);
    writeImageValue(record, id, target, 16);
    const restored = new DataView(new ArrayBuffer(pageSize));
    const tag = WalImageValue.tag.get(value, 16);
    tags.add(tag);
    if (tag === valueTags.walImage) restoreImageValue(value, 16, 16 + size, restored);
    else new Uint8Array(restored.buffer).set(target.subarray(16 + ImageValue.size, 16 + size));

    if (tag === valueTags.image) PageHeader.lsn.set(page, 0, record.end);
    deepEqual(restored, page);
    ok(target.subarray(16 + size).every((byte) => byte === 0xee));
    ok(target.subarray(0, 16).every((byte) => byte === 0xee));
  });

  deepEqual([...tags].sort(), [valueTags.image, valueTags.walImage]);
});

test('WalImage: an image that is cut short is wal_image_invalid, whatever its method', () => {
  forEachImage(15, (record, id, page) => {
    const { imageOffset, imageSize, imageInfo: info, holeOffset, holeSize } = record.blocks[id]!;
    const form = { major: 15, info, holeOffset, holeSize };
    const cut = record.bytes.slice(imageOffset, imageOffset + imageSize - 1);

    throws(
      () => {
        restoreImageBytes(form, cut, page);
      },
      { code: 'wal_image_invalid' },
    );
  });
});

function unpack(
  decompress: typeof lz4Decompress,
  source: readonly number[],
  size: number,
): string | null {
  const target = new Uint8Array(64);
  return decompress(Uint8Array.from(source), target, size)
    ? Buffer.from(target.subarray(0, size)).toString()
    : null;
}

test('Lz4Block: literals, an overlapping match and a long length', () => {
  // 'ab', then 18 bytes from 2 back (nibble 14), then the literal 'c'.
  equal(unpack(lz4Decompress, [0x2e, 97, 98, 2, 0, 0x10, 99], 21), `${'ab'.repeat(10)}c`);
  // 'a', then 4 + 15 + 1 bytes from 1 back, then 'z'.
  equal(unpack(lz4Decompress, [0x1f, 97, 1, 0, 1, 0x10, 122], 22), `${'a'.repeat(21)}z`);
});

test('Lz4Block: a match before the start, offset zero and overruns are refused', () => {
  equal(unpack(lz4Decompress, [0x10, 97, 2, 0, 0x10, 98], 6), null);
  equal(unpack(lz4Decompress, [0x10, 97, 0, 0, 0x10, 98], 6), null);
  equal(unpack(lz4Decompress, [0x10, 97, 1, 0, 0x10, 98], 5), null);
  equal(unpack(lz4Decompress, [0x10, 97, 1, 0, 0x10, 98], 7), null);
  equal(unpack(lz4Decompress, [0xf0, 255, 255], 6), null);
  equal(unpack(lz4Decompress, [], 0), null);
});

test('Pglz: literals, an overlapping match and a long length', () => {
  // Control 0b100: 'a', 'b', then 5 bytes from 2 back.
  equal(unpack(pglzDecompress, [0x04, 97, 98, 0x02, 2], 7), 'abababa');
  // A length nibble of 15 takes another byte: 15 + 3 + 2 bytes from 1 back.
  equal(unpack(pglzDecompress, [0x02, 97, 0x0f, 1, 2], 21), 'a'.repeat(21));
});

test('Pglz: a match before the start, offset zero, too little and too much are refused', () => {
  equal(unpack(pglzDecompress, [0x02, 97, 0x00, 2], 4), null);
  equal(unpack(pglzDecompress, [0x02, 97, 0x00, 0], 4), null);
  equal(unpack(pglzDecompress, [0x02, 97, 0x0f, 1], 19), null);
  equal(unpack(pglzDecompress, [0x00, 97, 98], 3), null);
  equal(unpack(pglzDecompress, [0x00, 97, 98], 1), null);
});
