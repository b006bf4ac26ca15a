/** WAL in memory. Positions are bytes; records end where the tests say. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { RecentWal } from '../../../src/actors/acceptor/recent-wal.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { SeededRandom } from '../../../src/io/random.ts';

const large = 65_536;

function bytesOf(begin: number, end: number): Uint8Array {
  return Uint8Array.from({ length: end - begin }, (_, at) => (begin + at) % 251);
}

/** Pieces that follow each other, each ending with a record, from `begin` on. */
function filled(begin: number, ...sizes: readonly number[]): RecentWal {
  const recent = new RecentWal();
  let at = begin;
  for (const size of sizes) {
    recent.push(lsn(at), bytesOf(at, at + size), 1, lsn(at + size));
    at += size;
  }
  return recent;
}

function read(recent: RecentWal, from: number, end: number): Uint8Array | null {
  return recent.read(lsn(from), lsn(end));
}

test('RecentWal: what was pushed is read, in any pieces', () => {
  const random = new SeededRandom(1);
  const sizes = Array.from({ length: 60 }, () => random.pick([8, 100, 40_000, large, 2 * large]));
  const end = 1_000 + sizes.reduce((sum, size) => sum + size, 0);
  const recent = filled(1_000, ...sizes);

  for (let round = 0; round < 200; round += 1) {
    const [low, high] = [random.below(end - 1_000), random.below(end - 1_000)].sort(
      (a, b) => a - b,
    );
    const [from, until] = [1_000 + low!, 1_000 + high! + 1];
    const found = read(recent, from, until);
    ok(found !== null && Buffer.from(found).equals(bytesOf(from, until)), `${from} to ${until}`);
  }
});

test('RecentWal: what was read stays as it was when more is pushed', () => {
  const recent = filled(0, 100);
  const found = read(recent, 0, 100)!;

  recent.push(lsn(100), bytesOf(100, 300), 1, lsn(300));

  ok(Buffer.from(found).equals(bytesOf(0, 100)));
});

test('RecentWal: what is not held is not read', () => {
  const recent = filled(1_000, 100, 100);

  equal(read(recent, 999, 1_100), null);
  equal(read(recent, 1_000, 1_201), null);
  equal(recent.readRecords(lsn(900), 500, lsn(1_200)), null);
  equal(filled(1_000).readRecords(lsn(1_000), 500, lsn(1_200)), null);
});

test('RecentWal: records are whole, not too many, and none beyond the limit', () => {
  const recent = new RecentWal();
  recent.push(lsn(0), bytesOf(0, 100), 2, lsn(80)); // and a part of the next
  recent.push(lsn(100), bytesOf(100, 200), 0, lsn(80));
  recent.push(lsn(200), bytesOf(200, 300), 1, lsn(240));
  recent.push(lsn(300), bytesOf(300, 400), 3, lsn(400));
  function lengths(from: number, bytesMax: number, limit: number): number | null {
    return recent.readRecords(lsn(from), bytesMax, lsn(limit))?.length ?? null;
  }

  deepEqual(
    [lengths(0, 1_000, 400), lengths(0, 1_000, 399), lengths(0, 240, 400), lengths(0, 239, 400)],
    [400, 240, 240, 80],
  );
  deepEqual([lengths(80, 100, 400), lengths(80, 1, 400), lengths(80, 1, 239)], [160, 160, null]);
  const three = [lengths(240, 160, 400), lengths(240, 80, 400), lengths(240, 79, 400)];
  deepEqual(three, [160, 160, null]);
  deepEqual([lengths(240, 1, 240), lengths(0, 1, 400)], [null, null]);
});

test('RecentWal: what was forgotten, or came before a gap, is not read', () => {
  const recent = filled(0, large, large, large);
  recent.dropBelow(lsn(large + 1));
  equal(read(recent, large - 8, large), null);
  equal(read(recent, large, large + 8)?.length, 8);
  equal(recent.readRecords(lsn(0), 3 * large, lsn(3 * large)), null);

  recent.push(lsn(5 * large), bytesOf(0, 8), 1, lsn(5 * large + 8));
  equal(read(recent, 2 * large, 2 * large + 8), null);
  equal(read(recent, 5 * large, 5 * large + 8)?.length, 8);

  recent.clear();
  equal(read(recent, 5 * large, 5 * large + 8), null);
});
