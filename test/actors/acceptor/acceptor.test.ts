/**
 * The acceptor on a real directory, fed with real WAL: what it stores, answers and refuses.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lsn } from '../../../src/base/lsn.ts';
import { term } from '../../../src/consensus/term.ts';
import { walPageStart } from '../../../src/postgres/wal-page.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import { birthHistory, recordEnds, TestAcceptor, withQuorum } from '../quorum-host.ts';
import { disk } from '../quorum-registry.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const early = ends[9]!;
const middle = ends[400]!;
const late = ends.at(-1)!;

test('acceptor: an append is answered with the end of its last complete record', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    const torn = await acceptor.append(start, lsn(middle + 8));

    equal(torn.flushLsn, middle);
  });
});

test('acceptor: a record that arrives in two appends counts when it is whole', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    await acceptor.append(start, lsn(middle + 8));
    const whole = await acceptor.append(lsn(middle + 8), ends[401]!);

    equal(whole.flushLsn, ends[401]);
  });
});

test('acceptor: an incomplete record may be written anew from its start', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    await acceptor.append(start, lsn(middle + 8));
    const again = await acceptor.append(middle, late);

    equal(again.flushLsn, late);
  });
});

test('acceptor: appends that wait together share one sync', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    const before = disk.syncs;

    const cuts = [start, ...ends.slice(0, 50)];
    await Promise.all(cuts.slice(1).map((end, index) => acceptor.append(cuts[index]!, end)));

    equal(disk.syncs - before, 1);
  });
});

test('acceptor: segment files hold the bytes as Postgres writes them', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    await acceptor.append(start, late);

    const [first, second] = [start, lsn(start + fixtureSegmentSize)];
    deepEqual(readdirSync(join(acceptor.directory, 'wal')).sort(), [
      '000000010000000000000009',
      '00000001000000000000000A',
    ]);
    equal(Buffer.compare(segmentFile(acceptor, 0), acceptor.bytes(start, second)), 0);
    const written = segmentFile(acceptor, 1).subarray(0, late - second);
    equal(Buffer.compare(written, acceptor.bytes(second, late)), 0);
    ok(first < second && segmentFile(acceptor, 1).length === fixtureSegmentSize);
  });
});

test('acceptor: a branch begins with the page of its parent it was cut in', async () => {
  await withQuorum(async (host) => {
    const parent = await born(host);
    await parent.append(start, late);
    await parent.commit(late);
    const branch = await new TestAcceptor(host, 'branch').start();

    await branch.create(middle);
    await branch.elect(1);
    const { flushLsn } = await branch.append(middle, late);

    equal(flushLsn, late);
    const page = walPageStart(middle) - start;
    const [ours, theirs] = [segmentFile(branch, 0), segmentFile(parent, 0)];
    equal(Buffer.compare(ours.subarray(page), theirs.subarray(page)), 0);
    ok(ours.subarray(0, page).every((byte) => byte === 0));
  });
});

test('acceptor: a gap is refused, and nothing of it stored', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.append(start, early);

    await rejects(acceptor.append(middle, late), { code: 'append_leaves_gap' });

    equal((await acceptor.append(early, middle)).flushLsn, middle);
  });
});

test('acceptor: bytes that are no WAL are refused, and the log goes on without them', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.append(start, lsn(early + 8));
    const bytes = acceptor.bytes(lsn(early + 8), middle).slice();
    bytes[100]! ^= 1;

    await rejects(acceptor.append(lsn(early + 8), middle, { bytes }), { code: 'append_not_wal' });

    equal((await acceptor.append(lsn(early + 8), middle)).flushLsn, middle);
  });
});

test('acceptor: a vote is given once per term', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    const [second, again, older] = [
      await acceptor.vote(2),
      await acceptor.vote(2),
      await acceptor.vote(1),
    ];

    deepEqual([second.voteGiven, again.voteGiven, older.voteGiven], [true, false, false]);
    equal(older.term, 2);
  });
});

test('acceptor: an append of an older term is answered with the newer one and not stored', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.vote(2);

    const result = await acceptor.append(start, early);

    deepEqual([result.term, result.flushLsn], [2, start]);
  });
});

test('acceptor: an append before its term was installed is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.vote(2);

    await rejects(acceptor.append(start, early, { term: 2 }), { code: 'append_before_election' });
  });
});

test('acceptor: a message of an older configuration is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.greet({ generation: 2, members: ['t', 'u'], newMembers: null });

    await rejects(acceptor.append(start, early), { code: 'generation_stale' });
  });
});

test('acceptor: a new term cuts what its proposer does not have', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.append(start, late);
    await acceptor.vote(3);

    const history = [...birthHistory, { term: term(1), start }, { term: term(3), start: middle }];
    const installed = await acceptor.install(history, middle);
    const described = await acceptor.describe();

    deepEqual([installed.flushLsn, described.lastRecordStart], [middle, ends[399]]);
  });
});

test('acceptor: committed WAL is never cut', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.append(start, late);
    await acceptor.commit(late);
    await acceptor.vote(3);

    const history = [...birthHistory, { term: term(1), start }, { term: term(3), start: middle }];

    await rejects(acceptor.install(history, middle), { code: 'log_diverged' });
  });
});

test('acceptor: commit follows what is announced, as far as the log is on disk', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);
    await acceptor.append(start, middle);

    const result = await acceptor.commit(late);

    equal(result.commitLsn, middle);
  });
});

test('acceptor: before its timeline is created everything else is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host).start();

    await rejects(acceptor.vote(1), { code: 'acceptor_missing' });
    equal((await acceptor.describe()).created, false);
  });
});

test('acceptor: creating a timeline again with another start is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await born(host);

    await acceptor.create();

    await rejects(acceptor.create(middle), { code: 'acceptor_exists' });
  });
});

async function born(host: Parameters<Parameters<typeof withQuorum>[0]>[0]): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host).start();
  await acceptor.create();
  await acceptor.elect(1);
  return acceptor;
}

function segmentFile(acceptor: TestAcceptor, index: number): Buffer {
  const directory = join(acceptor.directory, 'wal');
  return readFileSync(join(directory, readdirSync(directory).sort()[index]!));
}
