/**
 * An acceptor nobody writes to keeps no file open, and goes on when somebody does.
 */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { walFixture } from '../../postgres/wal-fixture.ts';
import { recordEnds, TestAcceptor, withQuorum, type QuorumHost } from '../quorum-host.ts';
import { disk } from '../quorum-registry.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const middle = ends[400]!;
const late = ends.at(-1)!;

test('idle acceptor: no file is open once it is told, nor after it was read', async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host);
    ok(filesOpenBelow(acceptor.directory).length > 0);

    deepEqual(await acceptor.rest(middle), { resting: true });

    deepEqual(filesOpenBelow(acceptor.directory), []);
    await acceptor.read(start);
    await acceptor.copy(start, 100);
    await acceptor.vote(7);

    deepEqual(filesOpenBelow(acceptor.directory), []);
  });
});

test('idle acceptor: none is open after its birth and after a start', async () => {
  await withQuorum(async (host) => {
    const fresh = await new TestAcceptor(host, 'fresh').start();
    await fresh.create();
    const old = await written(host);

    await old.restart();

    deepEqual(filesOpenBelow(host.directory), []);
  });
});

test('idle acceptor: it goes on where it stopped', async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host);
    await acceptor.rest(middle);

    await acceptor.append(middle, late);
    await acceptor.commit(late);
    await acceptor.restart();

    equal((await acceptor.describe()).commitLsn, late);
    const { bytes } = await acceptor.copy(start, late - start);
    equal(Buffer.compare(bytes, acceptor.bytes(start, late)), 0);
  });
});

test('idle acceptor: what it noted last of its position is not lost to the rest', async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host);

    await acceptor.rest(middle);
    host.runtime.faults.killActor(acceptor.path);

    equal((await acceptor.describe()).commitLsn, middle);
  });
});

test('idle acceptor: it does not rest on what is known no more to be the last commit', async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host);

    deepEqual(await acceptor.rest(ends[399]!), { resting: false });

    ok(filesOpenBelow(acceptor.directory).length > 0);
  });
});

test('idle acceptor: an append that waits for its sync gets it', async () => {
  await withQuorum(async (host) => {
    const acceptor = await written(host);
    const before = disk.syncs;

    const appended = acceptor.append(middle, ends[401]!);
    const rested = acceptor.rest(middle);

    equal((await appended).flushLsn, ends[401]);
    deepEqual(await rested, { resting: false });
    equal(disk.syncs - before, 1);
  });
});

async function written(host: QuorumHost): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host).start();
  await acceptor.create();
  await acceptor.elect(1);
  await acceptor.append(start, middle);
  await acceptor.commit(middle);
  return acceptor;
}

function filesOpenBelow(folder: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    const path = targetOf(descriptor);
    return path.startsWith(folder) ? [path] : [];
  });
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return ''; // the one the listing itself was read through
  }
}
