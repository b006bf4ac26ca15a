/**
 * The acceptor after crashes and on a disk that fails: what it still knows, and what it refuses.
 */
import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lsn, type Lsn } from '../../../src/base/lsn.ts';
import { term } from '../../../src/consensus/term.ts';
import { fixtureSegmentSize, walFixture } from '../../postgres/wal-fixture.ts';
import {
  birthHistory,
  recordEnds,
  TestAcceptor,
  withQuorum,
  type QuorumHost,
} from '../quorum-host.ts';
import { disk } from '../quorum-registry.ts';

const { start } = walFixture(18);
const ends = recordEnds(walFixture(18));
const early = ends[9]!;
const middle = ends[400]!;
const late = ends.at(-1)!;

test('acceptor: after a restart it knows its term, its log and what is committed', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    await acceptor.commit(early);
    await acceptor.vote(7);
    const before = await acceptor.describe();

    await acceptor.restart();

    deepEqual(await acceptor.describe(), before);
    equal(before.lastRecordStart, ends[399]);
  });
});

test('acceptor: what a start finds of the log is synced before it is reported', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.stop();
    const segments = readdirSync(join(acceptor.directory, 'wal'));
    disk.synced.clear();

    await acceptor.start();

    const unsynced = segments.filter(
      (name) => !disk.synced.has(join(acceptor.directory, 'wal', name)),
    );
    deepEqual(unsynced, []);
    ok(segments.length > 1, 'the log has several segments');
  });
});

test('acceptor: after a restart a vote is still not given twice', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    await acceptor.vote(7);

    await acceptor.restart();

    equal((await acceptor.vote(7)).voteGiven, false);
  });
});

test('acceptor: a log that was cut for a new term is whole after a restart', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.vote(3);
    const history = [...birthHistory, { term: term(1), start }, { term: term(3), start: middle }];
    await acceptor.install(history, middle);
    const before = await acceptor.describe();

    await acceptor.restart();

    deepEqual(await acceptor.describe(), before);
    equal((await acceptor.append(middle, late, { term: 3 })).flushLsn, late);
  });
});

test('acceptor: a torn tail is cut off, at every byte of the last record', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, ends[399]!);
    await acceptor.stop();
    const tail = acceptor.bytes(ends[399]!, middle);
    for (let size = 1; size < tail.length; size += 1) {
      overwrite(acceptor, ends[399]!, tail.subarray(0, size));
      await acceptor.start();
      equal((await acceptor.describe()).flushLsn, ends[399], `size=${size}`);
      await acceptor.stop();
    }
    await acceptor.start();

    await acceptor.elect(2);

    equal((await acceptor.append(ends[399]!, late, { term: 2 })).flushLsn, late);
  });
});

test('acceptor: garbage behind the log is forgotten at start', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, early);
    await acceptor.stop();
    overwrite(acceptor, early, new Uint8Array(50_000).fill(0xa5));

    await acceptor.start();

    equal((await acceptor.describe()).flushLsn, early);
    const at = early - start;
    const stored = readFileSync(segmentPath(acceptor, start)).subarray(at, at + 50_000);
    ok(stored.every((byte) => byte === 0));
  });
});

test('acceptor: a damaged control file is named, at every byte', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, early);
    await acceptor.stop();
    const path = join(acceptor.directory, 'acceptor.control');
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 4;
      writeFileSync(path, damaged);
      await rejects(acceptor.start(), { code: 'acceptor_control_damaged' }, `byte ${at}`);
    }
    for (const size of [0, 1, 15, 16, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, size));
      await rejects(acceptor.start(), { code: 'acceptor_control_damaged' }, `size ${size}`);
    }
    writeFileSync(path, whole);

    await acceptor.start();

    equal((await acceptor.describe()).flushLsn, early);
  });
});

test('acceptor: a flipped bit in acknowledged WAL is no torn tail: the start names it', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    await acceptor.stop();
    flip(acceptor, lsn(ends[398]! + 30));

    await rejects(acceptor.start(), { code: 'acceptor_wal_damaged' });
  });
});

test('acceptor: acknowledged WAL that is missing at start is named', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.stop();
    rmSync(segmentPath(acceptor, late));

    await rejects(acceptor.start(), { code: 'acceptor_wal_damaged' });
  });
});

test('acceptor: a torn position file costs nothing', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    await acceptor.stop();
    writeFileSync(join(acceptor.directory, 'acceptor.position'), Buffer.alloc(24, 0xff));

    await acceptor.start();

    equal((await acceptor.describe()).flushLsn, middle);
  });
});

test('acceptor: a full disk refuses appends, keeps what it has, and works again with room', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    disk.room = 100;

    await rejects(acceptor.append(middle, late), { code: 'disk_full', kind: 'unavailable' });
    const during = await acceptor.describe();
    disk.room = Infinity;
    const after = await acceptor.append(middle, late);

    equal(during.flushLsn, middle);
    equal(after.flushLsn, late);
    equal(Buffer.compare(read(acceptor, start, late), acceptor.bytes(start, late)), 0);
  });
});

test('acceptor: a disk that was full at a crash has lost nothing acknowledged', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, middle);
    disk.room = 100;
    await rejects(acceptor.append(middle, late), { code: 'disk_full' });
    disk.room = Infinity;

    await acceptor.restart();

    equal((await acceptor.describe()).flushLsn, middle);
  });
});

test('acceptor: after a failed sync nothing is acknowledged, and the whole runtime ends', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, early);
    disk.syncFails = true;

    await rejects(acceptor.append(early, middle), { code: 'actor_crashed' });

    const failure = await host.runtime.ended;
    equal(failure?.code, 'actor_restarts_exhausted');
  });
});

test('acceptor: a flipped bit in committed WAL is found by its reader, who gets all before it', async () => {
  await withQuorum(async (host) => {
    const acceptor = await filled(host, late);
    await acceptor.commit(late);
    await acceptor.rest(late); // it remembers nothing
    flip(acceptor, lsn(middle + 30));

    const before = await acceptor.read(start, late - start);

    equal(Buffer.compare(before.bytes, acceptor.bytes(start, middle)), 0);
    await rejects(acceptor.read(middle), { code: 'acceptor_wal_damaged', kind: 'corrupt' });
    equal((await acceptor.read(start, 1)).bytes.length, ends[0]! - start);
    notEqual((await acceptor.append(late, late)).flushLsn, 0);
  });
});

async function filled(host: QuorumHost, end: Lsn): Promise<TestAcceptor> {
  const acceptor = await new TestAcceptor(host).start();
  await acceptor.create();
  await acceptor.elect(1);
  await acceptor.append(start, end);
  return acceptor;
}

function segmentPath(acceptor: TestAcceptor, at: Lsn): string {
  const directory = join(acceptor.directory, 'wal');
  const index = Math.floor((at - start) / fixtureSegmentSize);
  return join(directory, readdirSync(directory).sort()[index]!);
}

function overwrite(acceptor: TestAcceptor, at: Lsn, bytes: Uint8Array): void {
  const file = openSync(segmentPath(acceptor, at), 'r+');
  writeSync(file, bytes, 0, bytes.length, at % fixtureSegmentSize);
  closeSync(file);
}

function flip(acceptor: TestAcceptor, at: Lsn): void {
  const byte = readFileSync(segmentPath(acceptor, at))[at % fixtureSegmentSize]!;
  overwrite(acceptor, at, new Uint8Array([byte ^ 16]));
}

function read(acceptor: TestAcceptor, begin: Lsn, end: Lsn): Buffer {
  const directory = join(acceptor.directory, 'wal');
  const files = readdirSync(directory).sort();
  return Buffer.concat(files.map((name) => readFileSync(join(directory, name)))).subarray(
    begin - start,
    end - start,
  );
}
