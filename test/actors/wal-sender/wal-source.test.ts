/** Where the bytes of a branch's WAL come from. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  fillerBytes,
  messageEnd,
  walPieces,
  walSource,
  type WalSource,
} from '../../../src/actors/wal-sender/wal-source.ts';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { parseSystemId } from '../../../src/postgres/system-id.ts';
import { ensureWalPageHeader, walPageSize } from '../../../src/postgres/wal-page.ts';

const segmentSize = 2 ** 20;
const segment = 10 * segmentSize;
/** The log begins in the fourth page of its first segment. */
const first = segment + 3 * walPageSize;
const branchPoint = first + 5_000;
const secondPoint = first + 5_200;

test('walPieces: what a branch inherited is its ancestors’, each up to its branch point', () => {
  deepEqual(pieces(branchPoint - 10, secondPoint + 10), [
    ['main', branchPoint - 10, branchPoint],
    ['dev', branchPoint, secondPoint],
    ['deeper', secondPoint, secondPoint + 10],
  ]);
});

test('walPieces: a stretch that ends at a branch point needs no more than the ancestor', () => {
  deepEqual(pieces(branchPoint - 10, branchPoint), [['main', branchPoint - 10, branchPoint]]);
});

test('walPieces: a stretch that begins at a branch point needs nothing of the ancestor', () => {
  deepEqual(pieces(branchPoint, branchPoint + 10), [['dev', branchPoint, branchPoint + 10]]);
});

test('walPieces: the first segment begins with filler, up to the first page', () => {
  deepEqual(pieces(segment, first + 10), [
    [null, segment, first],
    ['main', first, first + 10],
  ]);
});

test('walPieces: below the segment the log begins in there is nothing', () => {
  throws(() => pieces(segment - 1, first + 10), { code: 'wal_removed' });
});

test('walPieces: WAL that was there and is not kept is no filler', () => {
  const later = segment + segmentSize;
  const source = walSource(wal, { startLsn: lsn(first + 100), firstLsn: lsn(later) });

  throws(() => walPieces(source, { from: lsn(later - 1), to: lsn(later + 1) }), {
    code: 'wal_removed',
    values: { from: '0/AFFFFF', first: '0/B00000' },
  });
});

test('walPieces: nor where an acceptor begins in the middle of a segment, after the log did', () => {
  const source = walSource(wal, { startLsn: lsn(first - 100), firstLsn: lsn(first) });

  throws(() => walPieces(source, { from: lsn(first - 1), to: lsn(first + 1) }), {
    code: 'wal_removed',
  });
});

test('filler: it begins with the header of a segment, and is empty', () => {
  const bytes = fillerBytes(source(), { from: lsn(segment), to: lsn(first) });

  const view = new DataView(bytes.buffer);
  ensureWalPageHeader(view, 0, {
    address: lsn(segment),
    major: 18,
    segmentSize,
    systemId: parseSystemId(wal.systemId),
  });
  equal(bytes.length, first - segment);
  equal(bytes.findLastIndex((byte) => byte !== 0) < 40, true);
});

test('filler: in pieces it is the same', () => {
  const whole = fillerBytes(source(), { from: lsn(segment), to: lsn(segment + 100) });

  for (const cut of [1, 20, 39, 40, 41, 99]) {
    const head = fillerBytes(source(), { from: lsn(segment), to: lsn(segment + cut) });
    const tail = fillerBytes(source(), { from: lsn(segment + cut), to: lsn(segment + 100) });
    deepEqual(new Uint8Array([...head, ...tail]), whole);
  }
});

for (const [from, limit, end] of [
  [0, 100, 100],
  [0, 131_072, 131_072],
  [0, 131_073, 131_072],
  [100, 131_172, 131_172],
  [100, 131_173, 131_072],
  [8_191, 1_000_000, 131_072],
] as const)
  test(`message: from ${from}, with WAL up to ${limit}, it ends at ${end}`, () => {
    equal(messageEnd(lsn(from), lsn(limit)), end);
  });

const wal = {
  systemId: String(0xfedc_ba98_7654_3210n),
  major: 18,
  segmentSize,
  ranges: [
    { timeline: '1', acceptors: ['main'], from: lsn(0), to: lsn(branchPoint) },
    { timeline: '2', acceptors: ['dev'], from: lsn(branchPoint), to: lsn(secondPoint) },
    { timeline: '3', acceptors: ['deeper'], from: lsn(secondPoint), to: null },
  ],
};

function source(): WalSource {
  return walSource(wal, { startLsn: lsn(first + 100), firstLsn: lsn(first) });
}

function pieces(from: number, to: number): (readonly [string | null, Lsn, Lsn])[] {
  return walPieces(source(), { from: lsn(from), to: lsn(to) }).map((piece) => {
    return [piece.acceptors?.[0] ?? null, piece.from, piece.to];
  });
}
