/** A stock hot standby follows a branch: it has what was committed there, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsn, parseLsn, type Lsn } from '../../src/base/lsn.ts';
import { takeTestPort } from '../ports.ts';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { segmentName } from '../../src/postgres/wal-page.ts';
import { Follower } from '../actors/wal-sender/follower.ts';
import { Bank } from './bank.ts';
import { connectTo, startTestHost, type TestHost } from './host.ts';
import { prepareStandby } from './standby.ts';

const limits = { timeout: 300_000 };
const segmentSize = 2 ** 24;
const clients = 3;

test(
  'standby: it has every acknowledged commit, also when host and Postgres are killed',
  limits,
  async (t) => {
    const port = await takeTestPort('127.0.0.1'); // the same after a restart
    const host = await startTestHost(t, { settings: { replication_port: port } });
    const bank = new Bank(11, () => host.connect());
    await bank.setUp();
    const standby = await prepareStandby(t, { major: 18, branch: 'main' });
    await standby.backUp(host, 'main', host.connectionString);
    await standby.start(host.replication);

    for (const victim of ['nobody', 'postgres', 'host', 'postgres']) {
      const before = bank.acknowledged;
      bank.open(clients);
      while (bank.acknowledged < before + 20) await sleep(5);
      if (victim === 'postgres') process.kill((await host.endpoint('main')).pid!, 'SIGKILL');
      if (victim === 'host') {
        host.kill('SIGKILL');
        await host.ended;
        await host.start();
      }
      await bank.close();
      await bank.check();
      await standby.reach(await endOf(await host.connect()));
      await bank.check(() => standby.connect());
    }

    assert.ok(bank.acknowledged >= 80);
  },
);

test('standby: what is written and not committed cannot be seen on it', limits, async (t) => {
  const host = await startTestHost(t, {});
  const writer = await host.connect();
  await writer.query('create table note (n int)');
  const standby = await prepareStandby(t, { major: 18, branch: 'main' });
  await standby.backUp(host, 'main', host.connectionString);
  await standby.start(host.replication);
  const reader = await standby.connect();

  await writer.query('begin; insert into note select generate_series(1, 1000)');
  const other = await host.connect();
  await other.query('insert into note values (0)');
  await standby.reach(await endOf(other));
  const { rows: before } = await reader.query('select count(*) from note');
  await writer.query('commit');
  await standby.reach(await endOf(writer));
  const { rows: after } = await reader.query('select count(*) from note');

  assert.deepEqual([before, after], [[['1']], [['1001']]]);
});

for (const postgres_major of [15, 16, 17])
  test(
    `standby: it follows a branch cut in the middle of a segment, on ${postgres_major}`,
    limits,
    async (t) => {
      const host = await startTestHost(t, { settings: { postgres_major } });
      const main = await host.connect();
      await main.query("create table note as select 'base' as text");
      const standby = await prepareStandby(t, { major: postgres_major, branch: 'dev' });
      await standby.backUp(host, 'main', host.connectionString);
      await main.query("insert into note values ('both')");
      const point = await endOf(main);
      await host.json('branch', 'create', 'dev');
      await main.query("insert into note values ('main')");
      const dev = await connectTo(await startEndpoint(host, 'dev'));
      await dev.query("insert into note values ('dev')");

      await standby.start(host.replication);
      await standby.reach(await endOf(dev));

      const { rows } = await (await standby.connect()).query('select text from note');
      assert.deepEqual(rows.flat(), ['base', 'both', 'dev']);
      assert.notEqual(point % segmentSize, 0);
    },
  );

test(
  'standby: one that begins in the first segment of all reads it as it was sent',
  limits,
  async (t) => {
    const host = await startTestHost(t, {});
    const writer = await host.connect();
    await writer.query('create table note (n int)');
    await writer.query('checkpoint');
    const end = await endOf(writer);
    const standby = await prepareStandby(t, { major: 18, branch: 'main' });
    await standby.copyFiles(host, 'main');
    const first = lsn(segmentSize);
    const follower = await Follower.start({ address: host.replication, branch: 'main' }, first);
    await follower.reach(end);
    const segment = Buffer.alloc(segmentSize);
    follower.bytes().copy(segment);

    standby.addSegment(segmentName(1, segmentSize), segment);
    await standby.start(host.replication);
    await writer.query('insert into note values (1), (2)');
    await standby.reach(await endOf(writer));

    const { rows } = await (await standby.connect()).query('select count(*) from note');
    assert.ok(end < 2 * segmentSize);
    assert.deepEqual(rows, [['2']]);
  },
);

/** The end of what a server has written. */
async function endOf(client: PostgresClient): Promise<Lsn> {
  const { rows } = await client.query('select pg_current_wal_flush_lsn()::text');
  return parseLsn(rows[0]![0]!);
}

async function startEndpoint(host: TestHost, branch: string): Promise<string> {
  const started = await host.json<{ connectionString: string }>('endpoint', 'start', branch);
  return started.connectionString;
}
