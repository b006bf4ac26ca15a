/** A record of images reads back as the pages it was made of. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailed } from '../../src/base/assert.ts';
import { lsn } from '../../src/base/lsn.ts';
import { imagesPerRecord, placeImages, type NewImage } from '../../src/postgres/image-record.ts';
import { majors } from '../../src/postgres/major.ts';
import { pageSize } from '../../src/postgres/page.ts';
import { recordName } from '../../src/postgres/resource-managers.ts';
import { parseSystemId } from '../../src/postgres/system-id.ts';
import { restoreImage } from '../../src/postgres/wal-image.ts';
import { WalReader } from '../../src/postgres/wal-reader.ts';
import { decodeRecord, WalRecord } from '../../src/postgres/wal-record.ts';

const segmentSize = 2 ** 20;
const begin = lsn(5 * segmentSize - 8_192);
const previous = lsn(begin - 24);
const systemId = parseSystemId('7500000000000000001');

/** A page of this byte, but for zeros in a range. */
function page(byte: number, zeros: readonly [number, number]): Uint8Array {
  return new Uint8Array(pageSize).fill(byte).fill(0, ...zeros);
}

function image(block: number, bytes: Uint8Array): NewImage {
  return { tablespace: 1_663, database: 5, relation: 16_400 + block, fork: 1, block, page: bytes };
}

function decoded(major: number, images: readonly NewImage[]): WalRecord {
  const identity = { major, segmentSize, systemId, timelineId: 1 };
  const wal = placeImages(identity, begin, previous, images);
  const reader = new WalReader(begin, { major, segmentSize, previous });
  const record = new WalRecord();
  reader.push(wal.bytes);
  equal(reader.next(record), true);
  decodeRecord(record, major);
  deepEqual([record.start, record.end], [wal.start, wal.end]);
  return record;
}

const pages = [
  page(7, [0, 0]), // no zeros
  page(0, [0, 0]), // nothing else
  page(7, [100, 4_000]),
  page(7, [0, 50]), // at its beginning
  page(7, [8_000, pageSize]), // at its end
  page(7, [100, 200]).fill(0, 5_000, 5_500), // two: the longer goes
];

for (const major of majors)
  test(`image record: ${major} reads back every page, block by block`, () => {
    const images = pages.map((bytes, index) => image(index * 3, bytes));

    const record = decoded(major, images);

    equal(recordName(record.rmgr, record.info, major), 'XLOG FPI');
    equal(record.blockCount, pages.length);
    images.forEach((each, id) => {
      const { tablespace, database, relation, fork, block, applyImage } = record.blocks[id]!;
      const where = { tablespace, database, relation, fork, block };
      const restored = new DataView(new ArrayBuffer(pageSize));
      restoreImage(record, id, restored, major);
      deepEqual({ ...where, page: new Uint8Array(restored.buffer) }, each);
      ok(applyImage);
    });
  });

test('image record: the longest stretch of zeros takes no room', () => {
  const record = decoded(18, [image(0, pages[5]!), image(1, pages[1]!)]);

  equal(record.blocks[0]!.imageSize, pageSize - 500);
  equal(record.blocks[1]!.imageSize, 1); // a hole never begins a page
});

test('image record: it has one image at least, and no more than Postgres logs at once', () => {
  const identity = { major: 18, segmentSize, systemId, timelineId: 1 };
  const many = Array.from({ length: imagesPerRecord + 1 }, (_, block) => image(block, pages[2]!));

  equal(decoded(18, many.slice(1)).blockCount, imagesPerRecord);
  for (const images of [[], many])
    throws(() => placeImages(identity, begin, previous, images), AssertionFailed);
});
