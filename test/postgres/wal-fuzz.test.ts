/** Lies in WAL: changed, cut and random bytes give records or a `corrupt` failure, and always end. */
import { equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { lz4Decompress } from '../../src/postgres/lz4-block.ts';
import { pageSize } from '../../src/postgres/page.ts';
import { pglzDecompress } from '../../src/postgres/pglz.ts';
import { imageValueSize, restoreImage } from '../../src/postgres/wal-image.ts';
import { walPageSize } from '../../src/postgres/wal-page.ts';
import { decodeRecord, RecordHeader, WalRecord } from '../../src/postgres/wal-record.ts';
import { fixtureReader, readRecords, walFixture } from './wal-fixture.ts';

/** Numbers that look random and are always the same (a linear congruential generator). */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }
}

const page = new DataView(new ArrayBuffer(pageSize));

/** Runs what may fail with `corrupt` and nothing else; says whether it did. */
function isCorrupt(run: () => void): boolean {
  try {
    run();
  } catch (failure) {
    ok(failure instanceof Failure && failure.kind === 'corrupt', String(failure));
    return true;
  }
  return false;
}

function restoreAll(record: WalRecord): void {
  for (let id = 0; id < record.blockCount; id += 1) {
    const block = record.blocks[id]!;
    if (!block.present || !block.hasImage) continue;
    ok(imageValueSize(record, id) > 0);
    restoreImage(record, id, page, record.major);
  }
}

/** Every offset and size of a decoded record lies within it. */
function assertWithin(record: WalRecord): void {
  const end = record.offset + record.totalSize;
  ok(end <= record.bytes.length);
  equal(record.mainOffset + record.mainSize, end);
  for (let id = 0; id < record.blockCount; id += 1) {
    const block = record.blocks[id]!;
    if (!block.present) continue;
    ok(block.imageOffset >= record.offset && block.imageOffset + block.imageSize <= end);
    ok(block.dataOffset >= record.offset && block.dataOffset + block.dataSize <= end);
    ok(block.holeOffset + block.holeSize <= pageSize);
  }
}

for (const major of [15, 18])
  test(`WalReader: ${major} with changed bytes gives records or a corrupt failure`, () => {
    const fixture = walFixture(major);
    const dice = new Dice(major);
    let failed = 0;

    for (let round = 0; round < 300; round += 1) {
      const begin = dice.below(40) * walPageSize;
      const bytes = fixture.bytes.slice(begin, begin + 6 * walPageSize);
      for (let change = 0; change < 10; change += 1)
        bytes[dice.below(bytes.length)] = dice.below(256);
      const start = { ...fixture, start: (fixture.start + begin) as typeof fixture.start };
      const reader = fixtureReader(start, { trusted: true, seek: true });
      const step = 1 + dice.below(20_000);
      const corrupt = isCorrupt(() => {
        readRecords(reader, major, { bytes, step }, (record) => {
          assertWithin(record);
          restoreAll(record);
        });
      });
      failed += corrupt ? 1 : 0;
    }

    ok(failed > 50 && failed < 300, String(failed));
  });

test('WalReader: random bytes are corrupt', () => {
  const dice = new Dice(1);
  const fixture = walFixture(15);

  for (let round = 0; round < 100; round += 1) {
    const bytes = Uint8Array.from({ length: 1 + dice.below(500) }, () => dice.below(256));
    const reader = fixtureReader(fixture);

    const corrupt = isCorrupt(() => {
      readRecords(reader, 15, { bytes, step: 1 + dice.below(100) }, () => undefined);
    });

    equal(corrupt, bytes.length >= 40);
  }
});

test('decodeRecord: random bodies are refused or decoded within their bounds', () => {
  const dice = new Dice(2);
  const ids = [0, 1, 2, 32, 33, 251, 252, 253, 254, 255];
  const record = new WalRecord();
  let decoded = 0;

  for (let round = 0; round < 20_000; round += 1) {
    const size = RecordHeader.size + dice.below(60);
    record.bytes = Uint8Array.from({ length: size }, () =>
      dice.below(3) > 0 ? 0 : dice.below(256),
    );
    if (size > RecordHeader.size) record.bytes[RecordHeader.size] = ids[dice.below(ids.length)]!;
    record.view = new DataView(record.bytes.buffer);
    record.totalSize = size;

    const corrupt = isCorrupt(() => {
      decodeRecord(record, 15);
      assertWithin(record);
      restoreAll(record);
    });
    decoded += corrupt ? 0 : 1;
  }

  ok(decoded > 100, String(decoded));
});

test('decodeRecord: a block of the record before is not seen in the next', () => {
  const record = new WalRecord();
  const empty = new WalRecord();
  const fixture = walFixture(15);
  readRecords(fixtureReader(fixture), 15, { bytes: fixture.bytes, step: 4_096 }, (each) => {
    if (each.blockCount < 2 || record.blockCount >= 2) return;
    Object.assign(record, { bytes: each.bytes, view: each.view, offset: each.offset });
    record.totalSize = each.totalSize;
    decodeRecord(record, 15);
  });
  equal(record.blocks[1]!.present, true);
  record.bytes = new Uint8Array(RecordHeader.size);
  record.view = new DataView(record.bytes.buffer);
  record.offset = 0;
  record.totalSize = RecordHeader.size;

  decodeRecord(record, 15);

  equal(record.blockCount, 0);
  equal(
    record.blocks.some((block) => block.present),
    empty.blocks.some((block) => block.present),
  );
});

test('decodeRecord: a hole that reaches beyond the page is refused', () => {
  const record = new WalRecord();
  const body = [0, 0x10, 0, 0, 100, 0, 0xa0, 0x1f, 0x03, ...new Array<number>(116).fill(0)];
  record.bytes = Uint8Array.from([...new Array<number>(RecordHeader.size).fill(0), ...body]);
  record.view = new DataView(record.bytes.buffer);
  record.totalSize = record.bytes.length;

  // An image of 100 bytes, so a hole of 8092, but at 8096.
  throws(
    () => {
      decodeRecord(record, 15);
    },
    { code: 'wal_block_invalid' },
  );
});

test('Lz4Block: a match longer than what is left writes nothing beyond', () => {
  const target = new Uint8Array(300).fill(0x55);

  equal(lz4Decompress(Uint8Array.of(0x1f, 97, 1, 0, 200, 0x00), target, 10), false);

  ok(target.subarray(10).every((byte) => byte === 0x55));
});

for (const [name, decompress] of [
  ['Lz4Block', lz4Decompress],
  ['Pglz', pglzDecompress],
] as const)
  test(`${name}: random bytes never write beyond the size asked for`, () => {
    const dice = new Dice(3);
    const target = new Uint8Array(300);

    for (let round = 0; round < 5_000; round += 1) {
      const size = dice.below(200);
      const source = Uint8Array.from({ length: dice.below(50) }, () => dice.below(256));
      target.fill(0x55);

      decompress(source, target, size);

      ok(target.subarray(size).every((byte) => byte === 0x55));
    }
  });
