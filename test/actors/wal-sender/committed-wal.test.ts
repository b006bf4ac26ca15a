/** Which acceptor is asked for a branch's WAL, and which next. */
import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type CommittedWal } from '../../../src/actors/wal-sender/committed-wal.ts';
import { Failure } from '../../../src/base/failure.ts';
import { lsn } from '../../../src/base/lsn.ts';
import { FakeAcceptors } from './fake-acceptors.ts';

const span = { from: lsn(100), to: lsn(110) };

test('bytes: they come from the nearest acceptor', async () => {
  const acceptors = new FakeAcceptors('a', 'b', 'c');

  equal(await source(acceptors), 'a');

  deepEqual(acceptors.asks, ['copyWal a']);
});

for (const code of [
  'actor_missing',
  'peer_unreachable',
  'ask_timed_out',
  'actor_halted',
  'acceptor_missing',
  'acceptor_wal_damaged',
  'wal_removed',
  'wal_not_yet_written',
] as const)
  test(`bytes: when the nearest fails as ${code} the next is asked`, async () => {
    const acceptors = new FakeAcceptors('a', 'b', 'c');
    acceptors.refusals.set('a', new Failure(code, {}));

    equal(await source(acceptors), 'b');

    deepEqual(acceptors.asks, ['copyWal a', 'copyWal b']);
  });

test('bytes: one that has fewer than it says is as one that has none', async () => {
  const acceptors = new FakeAcceptors('short', 'b');

  equal(await source(acceptors), 'b');
});

test('bytes: when all fail, the last one says why', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  acceptors.refusals.set('a', new Failure('wal_removed', {}));
  acceptors.refusals.set('b', new Failure('peer_unreachable', {}));

  await rejects(source(acceptors), { code: 'peer_unreachable' });
});

test('bytes: one that failed is asked last for half a minute', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  const { wal } = acceptors;
  acceptors.refusals.set('a', new Failure('ask_timed_out', {}));
  await source(acceptors, wal);
  acceptors.refusals.clear();

  acceptors.now_ms = 29_999;
  const before = await source(acceptors, wal);
  acceptors.now_ms = 30_000;
  const after = await source(acceptors, wal);

  deepEqual([before, after], ['b', 'a']);
});

test('bytes: one that failed is asked first again once it has answered', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  const { wal } = acceptors;
  acceptors.refusals.set('a', new Failure('ask_timed_out', {}));
  await source(acceptors, wal);
  acceptors.refusals.clear();
  acceptors.refusals.set('b', new Failure('wal_not_yet_written', {}));
  await source(acceptors, wal);
  acceptors.refusals.clear();

  equal(await source(acceptors, wal), 'a');
});

test('bytes: that one lacks a stretch is held against it for no other', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  const { wal } = acceptors;
  acceptors.refusals.set('a', new Failure('wal_not_yet_written', {}));
  await source(acceptors, wal);
  acceptors.refusals.clear();

  equal(await source(acceptors, wal), 'a');
});

test('open: it is committed as far as any acceptor knows, and begins where any one begins', async () => {
  const acceptors = new FakeAcceptors('a', 'b', 'c');
  const segment = 2 ** 20;
  acceptors.commits.set('a', 4 * segment).set('b', 5 * segment);
  acceptors.commits.set('c', new Failure('peer_unreachable', {}));
  acceptors.firsts.set('a', 3 * segment).set('b', 2 * segment);

  const { commitLsn, source: found } = await acceptors.wal.open(acceptors.opened(0).source);

  deepEqual([commitLsn, found.startLsn], [5 * segment, 2 * segment]);
});

test('open: when no acceptor answers it fails as they do', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  for (const path of acceptors.acceptors)
    acceptors.commits.set(path, new Failure('peer_unreachable', {}));

  await rejects(acceptors.wal.open(acceptors.opened(0).source), { code: 'peer_unreachable' });
});

test('open: an acceptor that has lost its log counts as none', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  acceptors.lost.add('a');
  acceptors.commits.set('b', 500);
  acceptors.firsts.set('b', 100);

  const { commitLsn, source: found } = await acceptors.wal.open(acceptors.opened(0).source);

  deepEqual([commitLsn, found.firstLsn], [500, 100]);
});

test('findAgain: the ranges stay, with the acceptors that control knows now', async () => {
  const acceptors = new FakeAcceptors('a', 'b');
  const before = acceptors.opened(0).source;
  acceptors.acceptors = ['b', 'c'];

  const after = await acceptors.wal.findAgain(before);

  deepEqual(after, { ...before, ranges: [{ ...before.ranges[0]!, acceptors: ['b', 'c'] }] });
});

/** Whose bytes were read. */
async function source(
  acceptors: FakeAcceptors,
  wal: CommittedWal = acceptors.wal,
): Promise<string> {
  const [bytes] = await wal.read(acceptors.opened(0).source, span);
  return String.fromCharCode(bytes![0]!);
}
