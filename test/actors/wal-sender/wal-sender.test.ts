/**
 * The wal-sender between followers and acceptors that keep real WAL: what is sent, from where, and
 * what is not.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { test } from 'node:test';
import { serialize } from 'pg-protocol';
import { lsn } from '../../../src/base/lsn.ts';
import { Failure } from '../../../src/base/failure.ts';
import { type PostgresClient } from '../../../src/io/postgres-client.ts';
import { parseSystemId } from '../../../src/postgres/system-id.ts';
import {
  ensureWalPageHeader,
  WalLongPageHeader,
  walPageSize,
  walPageStart,
} from '../../../src/postgres/wal-page.ts';
import { fixtureSegmentSize } from '../../postgres/wal-fixture.ts';
import { connectFollower, Follower } from './follower.ts';
import {
  addressOf,
  branch,
  early,
  late,
  later,
  middle,
  start,
  systemId,
  withSender,
} from './sending.ts';

const copyDone = Buffer.from('c\0\0\0\x04');

test('wal-sender: a follower gets committed WAL byte for byte, and more as it is committed', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);
    await follower.reach(middle);

    await main.commit(later);
    await follower.reach(later);
    await main.commit(late);
    await follower.reach(late);

    equal(Buffer.compare(follower.bytes(), main.bytes(start, late)), 0);
  });
});

test('wal-sender: nothing leaves that is stored and not committed', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);

    await follower.reach(middle);
    const sent = await follower.sync();

    deepEqual([follower.position, sent], [middle, middle]);
    equal(Math.max(...follower.claimed), middle);
  });
});

test('wal-sender: messages end with a page, but for the last', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(late);
    const from = lsn(start + 1_000);
    const follower = await Follower.start({ address, branch: 'main' }, from);

    await follower.reach(late);

    const [last, ...others] = follower.ends.toReversed();
    equal(last, late);
    ok(others.length > 5);
    deepEqual(new Set(others.map((end) => end % walPageSize)), new Set([0]));
    const sizes = follower.ends.map((end, at) => end - (follower.ends[at - 1] ?? from));
    equal(Math.max(...sizes), 131_072);
  });
});

test('wal-sender: a branch cut in the middle of a segment has whole segments', async () => {
  await withSender(async ({ host, main, address }) => {
    await main.commit(middle);
    await branch(host, 'dev', middle, later);
    await branch(host, 'deeper', later, late);
    const follower = await Follower.start({ address, branch: 'deeper' }, start);

    await follower.reach(late);

    equal(Buffer.compare(follower.bytes(), main.bytes(start, late)), 0);
  });
});

test('wal-sender: a branch ends where it ends, whatever its ancestor goes on to write', async () => {
  await withSender(async ({ host, main, address }) => {
    await main.commit(late);
    const dev = await branch(host, 'dev', middle, later);
    const follower = await Follower.start({ address, branch: 'dev' }, start);
    await follower.reach(later);
    const sent = await follower.sync();

    await dev.append(later, late);
    await dev.commit(late);
    await follower.reach(late);

    equal(sent, later);
  });
});

test('wal-sender: before the first page of the log stand a header and zeros', async () => {
  await withSender(
    async ({ main, address }) => {
      await main.commit(late);
      const page = walPageStart(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);

      await follower.reach(late);

      const bytes = follower.bytes();
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const format = { major: 18, segmentSize: fixtureSegmentSize };
      const expected = { ...format, address: start, systemId: parseSystemId(systemId) };
      ensureWalPageHeader(view, 0, expected);
      const filler = bytes.subarray(WalLongPageHeader.size, page - start);
      equal(filler.length > walPageSize && filler.every((byte) => byte === 0), true);
      equal(Buffer.compare(bytes.subarray(page - start), main.bytes(page, late)), 0);
    },
    { mainStart: middle },
  );
});

test('wal-sender: followers of one branch each get everything', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(early);
    const followers = await Promise.all(
      [start, early, early].map((from) => Follower.start({ address, branch: 'main' }, from)),
    );
    await followers[0]!.reach(early);

    followers[1]!.client.destroy(new Failure('actor_stopped', {}));
    await main.commit(late);
    await Promise.all([followers[0]!.reach(late), followers[2]!.reach(late)]);

    deepEqual([followers[0]!.position, followers[2]!.position], [late, late]);
  });
});

test('wal-sender: for a follower that has gone nothing is watched any more', async () => {
  await withSender(
    async ({ host, main, address }) => {
      await main.commit(early);
      const follower = await Follower.start({ address, branch: 'main' }, start);
      await follower.reach(early);
      await follower.client.end();
      await admitted(address);

      await main.commit(middle); // answers the last read that waits
      await main.commit(late);

      const reads = host.asks.filter((ask) => ask === 'awaitCommit to acceptor/main');
      equal(reads.length, 1);
    },
    { clientsMax: 1 },
  );
});

test('wal-sender: it says which system it is, and how far it is committed', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const client = await connectFollower({ address, branch: 'main' });

    const { columns, rows } = await client.query('IDENTIFY_SYSTEM');

    deepEqual(columns, ['systemid', 'timeline', 'xlogpos', 'dbname']);
    const [high, low] = [Math.floor(middle / 2 ** 32), middle % 2 ** 32];
    const at = `${high.toString(16)}/${low.toString(16)}`.toUpperCase();
    deepEqual(rows, [[systemId, '1', at, null]]);
  });
});

test('wal-sender: what clients ask for before they stream', async () => {
  await withSender(async ({ address }) => {
    const client = await connectFollower({ address, branch: 'main' });
    const asked = [
      'SHOW wal_segment_size',
      'SHOW data_directory_mode',
      'CREATE_REPLICATION_SLOT "a" PHYSICAL (RESERVE_WAL)',
      'READ_REPLICATION_SLOT "a"',
      'DROP_REPLICATION_SLOT "a"',
      '',
    ];

    const answers = [];
    for (const command of asked) answers.push((await client.query(command)).rows[0]);

    deepEqual(answers, [
      ['1MB'],
      ['0700'],
      ['a', '0/0', null, null],
      ['physical', '0/900000', '1'],
      undefined,
      undefined,
    ]);
  });
});

for (const [command, sqlstate] of [
  ['TIMELINE_HISTORY 1', '58P01'],
  ['SHOW work_mem', '42704'],
  ['BASE_BACKUP', '0A000'],
  ['START_REPLICATION 0/0', '58P01'],
  ['START_REPLICATION FF/0', 'XX000'],
  ['START_REPLICATION 0/0 TIMELINE 2', 'XX000'],
  ['START_REPLICATION nowhere', '42601'],
] as const)
  test(`wal-sender: "${command}" is refused with ${sqlstate}, and the session goes on`, async () => {
    await withSender(async ({ address }) => {
      const client = await connectFollower({ address, branch: 'main' });

      await rejects(client.query(command), (failure: Failure) => {
        equal(failure.values['sqlstate'], sqlstate);
        return true;
      });

      equal((await client.query('IDENTIFY_SYSTEM')).rows.length, 1);
    });
  });

test('wal-sender: WAL that is not kept is refused by the name of its file', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(late, late);
    await main.remove(late);
    const refused = Follower.start({ address, branch: 'main' }, start);

    await rejects(refused, {
      message: /sqlstate=58P01.*000000010000000000000009 has already been removed/,
    });
    const follower = await Follower.start(
      { address, branch: 'main' },
      lsn(start + fixtureSegmentSize),
    );
    await follower.reach(late);
  });
});

test('wal-sender: WAL that goes while it is sent ends the stream, saying why', async () => {
  await withSender(async ({ host, main, address }) => {
    await main.commit(middle);
    const dev = await branch(host, 'dev', middle, later);
    await branch(host, 'deeper', later, late);
    await dev.stop();
    const follower = await Follower.start({ address, branch: 'deeper' }, start);

    await follower.until(() => follower.ended !== undefined);

    match(String(follower.ended), /sqlstate=57P03.*actor missing/);
  });
});

test('wal-sender: an acceptor that goes ends the stream, and one that is back serves again', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);
    await follower.reach(middle);

    await main.stop();
    await follower.until(() => follower.ended !== undefined);
    await main.start();
    await main.elect(2);
    const again = await Follower.start({ address, branch: 'main' }, start);
    await main.append(late, late, { term: 2, commitLsn: late });
    await again.reach(late);

    match(String(follower.ended), /sqlstate=57P03/);
    equal(again.position, late);
  });
});

test('wal-sender: the copy ends when the client ends it, and commands are taken again', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);
    await follower.reach(middle);

    follower.client.send(copyDone);
    await follower.until(() => follower.ended !== undefined);
    follower.status(true); // said before the end was heard, it may come after it
    follower.client.send(copyDone);
    await main.commit(late);
    const again = new Follower(follower.client, start);
    await again.client.query('IDENTIFY_SYSTEM');
    await again.begin();
    await again.reach(late);

    equal(follower.ended, null);
    deepEqual([follower.position, again.position], [middle, late]);
  });
});

test('wal-sender: feedback of a standby is heard, and asks for nothing', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);

    follower.feedback();
    follower.status(false);
    await follower.sync();

    deepEqual(
      follower.keepalives.map(({ replyWanted }) => replyWanted),
      [false],
    );
  });
});

test('wal-sender: who says what no follower says is dismissed', async () => {
  await withSender(async ({ main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);

    follower.client.send(serialize.query('select 1'));
    await follower.until(() => follower.ended !== undefined);

    match(String(follower.ended), /sqlstate=08P01/);
  });
});

test('wal-sender: messages of the extended protocol are refused', async () => {
  await withSender(async ({ address }) => {
    const [host, port] = address.split(':');
    const socket = createConnection({ host: host!, port: Number(port) });
    socket.write(serialize.startup({ user: 'postgres', replication: 'true' }));
    socket.write(serialize.parse({ name: '', text: 'select 1', types: [] }));

    match(String(Buffer.concat(await socket.toArray())), /FATAL.*08P01/);
  });
});

test('wal-sender: a branch that is not there is refused at once', async () => {
  await withSender(async ({ address }) => {
    await rejects(connectFollower({ address, branch: 'nobody' }), {
      message: /sqlstate=3D000.*branch=nobody/,
    });
  });
});

test('wal-sender: more followers than allowed are refused, until one goes', async () => {
  await withSender(
    async ({ address }) => {
      const first = await connectFollower({ address, branch: 'main' });

      await rejects(connectFollower({ address, branch: 'main' }), { message: /sqlstate=53300/ });
      await first.end();
      const second = await admitted(address);

      equal(second.isOpen, true);
    },
    { clientsMax: 1 },
  );
});

test('wal-sender: one that was refused and stays takes nobody’s place', async () => {
  await withSender(
    async ({ address }) => {
      const first = await connectFollower({ address, branch: 'main' });
      const [host, port] = address.split(':');
      const options = { host: host!, port: Number(port), allowHalfOpen: true };
      const refused = createConnection(options);
      refused.write(serialize.startup({ user: 'postgres', replication: 'true' }));
      const [told] = (await once(refused, 'data')) as [Buffer];

      await first.end();
      const second = await admitted(address);

      match(String(told), /FATAL.*53300/);
      equal(second.isOpen, true);
      refused.destroy();
    },
    { clientsMax: 1 },
  );
});

test('wal-sender: a silent follower is asked for a sign of life, and lives on', async () => {
  await withSender(
    async ({ main, address }) => {
      await main.commit(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);

      await follower.until(() => follower.pings === 1);
      follower.status(false);
      await follower.until(() => follower.pings === 2 || follower.ended !== undefined);

      deepEqual(follower.keepalives.at(-1), { sent: middle, replyWanted: true });
      equal(follower.ended, undefined);
    },
    { timeout_ms: 4_000 },
  );
});

test('wal-sender: a follower that stays silent is dropped, whatever it should have got', async () => {
  await withSender(
    async ({ main, address }) => {
      await main.commit(middle);
      const follower = await Follower.start({ address, branch: 'main' }, start);

      await follower.until(() => follower.ended !== undefined);

      match(String(follower.ended), /connection closed/);
    },
    { timeout_ms: 200 },
  );
});

test('wal-sender: its end is told to followers', async () => {
  await withSender(async ({ host, main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);
    await follower.reach(middle);

    await host.runtime.stopActor('wal-sender/host');
    await follower.until(() => follower.ended !== undefined);

    match(String(follower.ended), /sqlstate=57P01/);
  });
});

/** A client of a sender that takes one, as soon as the one before has gone. */
async function admitted(address: string): Promise<PostgresClient> {
  for (;;) {
    const client = await connectFollower({ address, branch: 'main' }).catch(() => null);
    if (client !== null) return client;
  }
}

test('wal-sender: after a crash it listens again, and followers come back', async () => {
  await withSender(async ({ host, main, address }) => {
    await main.commit(middle);
    const follower = await Follower.start({ address, branch: 'main' }, start);
    await follower.reach(middle);

    host.runtime.faults.killActor('wal-sender/host');
    await follower.until(() => follower.ended !== undefined);
    const again = await Follower.start({ address: await addressOf(host), branch: 'main' }, start);
    await main.commit(late);
    await again.reach(late);

    equal(again.position, late);
  });
});

test('wal-sender: a bug met while serving one client is a crash, not a silence', async () => {
  await withSender(async ({ host, address }) => {
    const client = await connectFollower({ address, branch: 'broken' });

    await rejects(client.query('IDENTIFY_SYSTEM'), { code: 'postgres_unreachable' });
    await addressOf(host);

    deepEqual(
      host.logged.filter(({ level }) => level === 'error').map(({ text }) => text),
      ['actor crashed'],
    );
  });
});
