/**
 * Reading from the acceptor: whole records, only committed ones, waiting for more, and removal.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { walPageStart } from '../../../src/postgres/wal-page.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { recordEnds, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const early = ends[9]!;
const middle = ends[400]!;
const late = ends.at(-1)!;

test('readWal: gives committed WAL in whole records, all of it in the end', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late);
    const got: Uint8Array[] = [];
    const boundaries = new Set<Lsn>(ends);

    for (let at = start; at < late;) {
      const { begin, bytes, commitLsn } = await acceptor.read(at, 3_000);
      deepEqual([begin, commitLsn], [at, late]);
      got.push(bytes);
      at = lsn(at + bytes.length);
      equal(boundaries.has(at), true, 'a chunk ends with a record');
    }

    equal(Buffer.compare(Buffer.concat(got), acceptor.bytes(start, late)), 0);
  });
});

test('readWal: a record larger than what was asked for comes whole', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late);

    const { bytes } = await acceptor.read(start, 8);

    equal(start + bytes.length, ends[0]);
  });
});

test('readWal: gives nothing that is not committed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(middle);

    const { bytes } = await acceptor.read(start, late - start);
    const none = await acceptor.read(middle);

    deepEqual([start + bytes.length, none.bytes.length], [middle, 0]);
  });
});

test('readWal: a waiting reader hears of a commit at once', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    const waiting = acceptor.await(start, 'r', late - start);

    await acceptor.commit(middle);

    equal((await waiting).bytes.length, middle - start);
  });
});

test('readWal: a reader that asks anew takes the place of its older ask', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    const older = acceptor.await(start, 'one');
    const other = acceptor.await(start, 'other', late - start);

    const newer = acceptor.await(start, 'one', late - start);

    deepEqual([(await older).bytes.length, (await older).commitLsn], [0, start]);
    await acceptor.commit(middle);
    deepEqual(
      [(await newer).bytes.length, (await other).bytes.length],
      [middle - start, middle - start],
    );
  });
});

test('readWal: of too many readers the one that waits longest gets no bytes', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    const names = Array.from({ length: 65 }, (_, at) => `reader-${at}`);

    const waiting = names.map((name) => acceptor.await(start, name, 8));
    const first = await waiting[0]!;
    await acceptor.commit(middle);
    const others = await Promise.all(waiting.slice(1));

    equal(first.bytes.length, 0);
    ok(others.every(({ bytes }) => bytes.length === ends[0]! - start));
  });
});

test('awaitCommit: is answered when so much is committed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    const answered: string[] = [];
    const waits = [early, middle].map(async (at) => {
      const { commitLsn } = await acceptor.awaitCommit(at, `until ${at}`);
      answered.push(`${at} at ${commitLsn}`);
    });

    await acceptor.commit(early);
    await waits[0];
    deepEqual(answered, [`${early} at ${early}`]);
    await acceptor.commit(late);
    await waits[1];

    deepEqual(answered, [`${early} at ${early}`, `${middle} at ${late}`]);
    deepEqual(await acceptor.awaitCommit(late, 'late'), { commitLsn: late });
  });
});

test('awaitCommit: an ask whose place was taken is answered with what is committed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    const older = acceptor.awaitCommit(late, 'one');

    const newer = acceptor.awaitCommit(middle, 'one');

    deepEqual(await older, { commitLsn: start });
    await acceptor.commit(middle);
    deepEqual(await newer, { commitLsn: middle });
  });
});

test('readWal: a position where no record can end is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late);

    await rejects(acceptor.read(lsn(start + 3)), { code: 'wal_position_invalid' });
  });
});

test('copyWal: gives the stored bytes of committed WAL, and no others', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(middle);

    const { bytes } = await acceptor.copy(lsn(start + 3), 1_000);

    equal(Buffer.compare(bytes, acceptor.bytes(lsn(start + 3), lsn(start + 1_003))), 0);
    await rejects(acceptor.copy(start, middle - start + 1), { code: 'wal_not_yet_written' });
  });
});

test('removeWal: removes whole segments every member has, and reading below them is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late, late);
    const second = lsn(start + fixtureSegmentSize);

    const { keptLsn } = await acceptor.remove(late);

    equal(keptLsn, second);
    deepEqual(readdirSync(join(acceptor.directory, 'wal')), ['00000001000000000000000A']);
    await rejects(acceptor.read(start), { code: 'wal_removed' });
  });
});

test('removeWal: keeps what another member may still need', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late, early);

    const { keptLsn } = await acceptor.remove(late);

    equal(keptLsn, start);
  });
});

test('removeWal: a floor beyond what is committed is refused, and nothing is removed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(middle, middle);

    await rejects(acceptor.remove(late), { code: 'wal_not_yet_written' });

    equal((await acceptor.describe()).keptLsn, start);
  });
});

test('removeWal: an acceptor starts again without the segments removed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late, late);
    await acceptor.remove(late);

    await acceptor.restart();

    const { flushLsn, firstLsn } = await acceptor.describe();
    deepEqual([flushLsn, firstLsn], [late, lsn(start + fixtureSegmentSize)]);
  });
});

test('createTimeline: nothing is stored below the page the timeline begins in', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host).start();
    await acceptor.create(middle);
    const page = walPageStart(middle);

    equal((await acceptor.describe()).firstLsn, page);
    const { bytes } = await acceptor.copy(page, middle - page);
    equal(Buffer.compare(bytes, acceptor.bytes(page, middle)), 0);
    await rejects(acceptor.copy(lsn(page - 1), 1), { code: 'wal_removed' });
  });
});

async function filled(host: QuorumHost, end: Lsn): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host).start();
  await acceptor.create();
  await acceptor.elect(1);
  await acceptor.append(start, end);
  return acceptor;
}
