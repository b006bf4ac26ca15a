/**
 * The proposer between acceptors and a stock Postgres 18: what a commit waits for, and what happens
 * when one of them goes away.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { type ElectResult, type ProposerMessage } from '../../../src/actors/proposer/protocol.ts';
import { lsn, parseLsn, type Lsn } from '../../../src/base/lsn.ts';
import { parseSystemId } from '../../../src/postgres/system-id.ts';
import { WalReader } from '../../../src/postgres/wal-reader.ts';
import { WalRecord } from '../../../src/postgres/wal-record.ts';
import { placeRecord, type WalBytes } from '../../../src/postgres/wal-writer.ts';
import { TestAcceptor, withQuorum } from '../quorum-host.ts';
import { told, toldOwner } from '../quorum-registry.ts';
import { askProposer, electing, position, spawnProposer, withCluster } from './cluster.ts';

test('proposer: a commit returns, and then a majority has it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    const written = await position(client);

    const { flushLsn } = await cluster.acceptor('a');

    ok(flushLsn >= written);
    const { bytes } = await cluster.copy('a', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: Postgres is told of a commit once more when nothing follows', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    const observer = await cluster.server.connect();
    await client.query('create table t (a int)');
    const told = 'select reply_time from pg_stat_replication';
    const [first] = (await observer.query(told)).rows;

    while ((await observer.query(told)).rows[0]![0] === first![0]);
  });
});

test('proposer: a commit waits while no majority is there, and returns when it is', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await cluster.stopAcceptor('a');
    const insert = { returned: false };

    const done = client.query('insert into t values (1)').then(() => {
      insert.returned = true;
    });
    const observer = await cluster.server.connect();
    const waits = "select 1 from pg_stat_activity where wait_event = 'SyncRep'";
    while (!insert.returned && (await observer.query(waits)).rows.length === 0);
    await observer.query('select pg_sleep(0.1)'); // whoever acknowledges too early has done so now
    const early = insert.returned;
    await cluster.startAcceptor('a');
    await done;

    equal(early, false);
  });
});

test('proposer: with three acceptors one may be away, and gets what it missed when it is back', async () => {
  await withCluster(['a', 'b', 'c'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    await cluster.stopAcceptor('c');

    await client.query("insert into t select g, repeat('x', 500) from generate_series(1, 20000) g");
    const written = await position(client);
    await cluster.startAcceptor('c');
    while ((await cluster.acceptor('c')).flushLsn < written) await client.query('select 1');

    const { bytes } = await cluster.copy('c', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: a crash of Postgres ends its reign; the next goes on where the quorum stands', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.query('insert into t select generate_series(1, 1000)');

    await cluster.server.kill();
    await toldOwner('postgresGone');
    const { phase } = await cluster.describe();
    await cluster.server.start();
    await rejects(cluster.follow(), { code: 'proposer_not_leading' });
    await cluster.elect();
    await cluster.follow();
    const again = await cluster.server.connect();
    await again.query('insert into t values (1001)');
    const { rows } = await again.query('select count(*) from t');

    deepEqual([phase, rows], ['idle', [['1001']]]);
    const written = await position(again);
    const { bytes } = await cluster.copy('a', cluster.start, written);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: crashes of Postgres in the middle of writing lose nothing acknowledged', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    let session = client;
    for (let round = 1; round <= 4; round += 1) {
      await session.query(`insert into t values (${round}, 'kept')`);
      const cut = session.query(
        "insert into t select 0, repeat('y', 900) from generate_series(1, 50000)",
      );
      cut.catch(() => undefined);
      const { receivedLsn } = await cluster.describe();
      await cluster.until((now) => now.receivedLsn > receivedLsn + 300_000 * round);
      told.length = 0;
      await cluster.server.kill();
      await toldOwner('postgresGone');
      await cluster.server.start();
      await cluster.elect();
      await cluster.follow();
      session = await cluster.server.connect();
    }
    const { rows } = await session.query('select count(*) from t where a > 0');

    deepEqual(rows, [['4']]);
    const written = await position(session);
    while ((await cluster.acceptor('a')).commitLsn < written)
      await session.query('insert into t values (99)');
  });
});

test('proposer: a newer term fences it: no more commits, and its owner hears of it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    const before = await cluster.acceptor('a');
    let returned = false;

    const newer = await cluster.electOther();
    const insert = client.query('insert into t values (1)').then(() => {
      returned = true;
    });
    await toldOwner('proposerFenced');
    const after = await cluster.acceptor('a');
    const refused = rejects(insert, { code: 'postgres_unreachable' });
    await cluster.server.kill();
    await refused;

    equal(returned, false);
    equal((await cluster.describe()).phase, 'fenced');
    deepEqual([after.flushLsn, newer.endOfLog], [before.flushLsn, before.flushLsn]);
  });
});

test('proposer: when it crashes its owner hears of it, and a new reign can follow', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');

    const nonsense = { kind: 'nonsense' } as unknown as ProposerMessage;
    await rejects(askProposer(cluster.host, nonsense), { code: 'actor_crashed' });
    await toldOwner('postgresGone');
    await cluster.elect();
    await cluster.follow();

    await client.query('insert into t values (1)');
    deepEqual((await client.query('select a from t')).rows, [['1']]);
  });
});

test('proposer: after a clean shutdown the log ends with what Postgres wrote last', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.end();

    await cluster.server.stop();
    const { commitLsn } = await cluster.release();
    const elected = await cluster.elect();

    equal(elected.endOfLog, commitLsn);
    const { bytes } = await cluster.copy('a', cluster.start, commitLsn);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, commitLsn)), 0);
    const rest = cluster.server.wal(commitLsn, lsn(commitLsn + 64));
    ok(rest.every((byte) => byte === 0));
  });
});

test('proposer: a stream that Postgres ended in order leaves the reign, without a second one', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.end();

    await cluster.server.stop();
    await toldOwner('postgresGone');
    const { phase, commitLsn, receivedLsn } = await cluster.describe();

    deepEqual([phase, commitLsn], ['leading', receivedLsn]);
    await rejects(cluster.follow(), { code: 'proposer_streams_already' });
  });
});

test('endStream: without a reign it is refused', async () => {
  await withCluster(['a'], async ({ cluster }) => {
    await cluster.server.kill();
    await toldOwner('postgresGone');

    await rejects(cluster.endStream(), { code: 'proposer_not_leading' });
  });
});

test('endStream: a record may be appended behind what Postgres wrote last', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await client.end();
    await cluster.server.stop();

    const { commitLsn: begin } = await cluster.endStream();
    const wal = nextRecord(begin, cluster.server.wal(cluster.start, begin), cluster.start);
    await askProposer(cluster.host, { kind: 'appendRecord', begin, bytes: wal.bytes });
    const { commitLsn } = await cluster.release();

    equal(commitLsn, wal.end);
    const { bytes } = await cluster.copy('a', cluster.start, commitLsn);
    const written = cluster.server.wal(cluster.start, begin);
    equal(Buffer.compare(bytes, Buffer.concat([written, wal.bytes])), 0);
    const rest = cluster.server.wal(begin, lsn(begin + 64));
    ok(rest.every((byte) => byte === 0));
  });
});

test('endStream: a release that comes before its answer refuses it', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int)');
    await cluster.stopAcceptor('a');
    void client.query('insert into t values (1)').catch(() => undefined); // waits for the acceptor
    await cluster.until(({ receivedLsn, commitLsn }) => receivedLsn > commitLsn);

    const ended = rejects(cluster.endStream(), { code: 'proposer_fenced' });
    const released = cluster.release();
    await ended;
    await cluster.startAcceptor('a');

    const { commitLsn } = await released;
    equal((await cluster.acceptor('a')).flushLsn, commitLsn);
    await cluster.server.kill();
  });
});

test('proposer: a load of WAL larger than what may be in flight arrives whole', async () => {
  await withCluster(['a'], async ({ cluster, client }) => {
    await client.query('create table t (a int, b text)');
    const load = "insert into t select g, repeat('z', 1500) from generate_series(1, 30000) g";

    await client.query(load);
    const written = await position(client);

    const { bytes } = await cluster.copy('a', cluster.start, written);
    ok(written - cluster.start > 40_000_000);
    equal(Buffer.compare(bytes, cluster.server.wal(cluster.start, written)), 0);
  });
});

test('proposer: without a majority an election is refused by its deadline', async () => {
  await withQuorum(async (host) => {
    await new TestAcceptor(host, 'a').start();
    await spawnProposer(host);

    const elected = askProposer(host, electing(['a', 'b', 'c'], 200));

    await rejects(elected, { code: 'quorum_unreachable' });
  });
});

test('proposer: an election that failed says what was wrong with the acceptors', async () => {
  await withQuorum(async (host) => {
    await new TestAcceptor(host, 'a').start();
    await spawnProposer(host);

    const elected = askProposer(host, electing(['a'], 200));

    await rejects(elected, { values: { why: 'a: acceptor missing. acceptor=a timeline=t' } });
  });
});

test('appendRecord: is answered when a majority has the record', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host, 'a').start();
    await acceptor.create();
    await spawnProposer(host);
    const { endOfLog } = (await askProposer(host, electing(['a'], 9_000))) as ElectResult;
    const { fixture } = acceptor;
    const end = parseLsn(fixture.listing[50]!.split('|')[1]!);

    const bytes = acceptor.bytes(endOfLog, end);
    const answer = await askProposer(host, { kind: 'appendRecord', begin: endOfLog, bytes });

    deepEqual(answer, { commitLsn: end });
    equal((await acceptor.describe()).flushLsn, end);
  });
});

test('appendRecord: elsewhere than at the end of the log it is refused', async () => {
  await withQuorum(async (host) => {
    const acceptor = await new TestAcceptor(host, 'a').start();
    await acceptor.create();
    await spawnProposer(host);
    await askProposer(host, electing(['a'], 9_000));
    const begin = lsn(acceptor.fixture.start + 8);

    const asked = askProposer(host, { kind: 'appendRecord', begin, bytes: new Uint8Array(8) });

    await rejects(asked, { code: 'append_leaves_gap' });
  });
});

/** A record of no meaning that follows on `before`, WAL from `start` to `begin`. */
function nextRecord(begin: Lsn, before: Uint8Array, start: Lsn): WalBytes {
  const format = { major: 18, segmentSize: 2 ** 24 };
  const reader = new WalReader(start, format);
  const record = new WalRecord();
  reader.push(before);
  while (reader.next(record));
  const identity = { ...format, systemId: parseSystemId('1'), timelineId: 1 };
  const noop = { rmgr: 0, info: 0x20, xid: 0, main: new Uint8Array(8) };
  return placeRecord(identity, begin, { ...noop, previous: reader.lastRecordStart });
}
