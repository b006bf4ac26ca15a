/** The free-space map of a Postgres that was killed is what a standby of it would have, and more. */
import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../src/base/failure.ts';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { free, halfEmptyTable, insert, position, rows, size, wrong } from './free-room.ts';
import { connectTo, startTestHost, type TestHost } from './host.ts';

const limits = { timeout: 180_000 };

for (const postgres_major of [15, 18]) {
  const name = `Postgres ${postgres_major}`;

  test(`${name}: what VACUUM found free is used after a crash`, limits, async (t) => {
    const host = await startTestHost(t, { settings: { postgres_major } });
    const before = await host.connect();
    await halfEmptyTable(before);
    await flush(before);
    const [freeBefore, sizeBefore] = [await rows(before, free), await rows(before, size)];

    const after = await crash(host, before);

    ok(freeBefore.length > 50, `${freeBefore.length} blocks have room`);
    deepEqual(await rows(after, free), freeBefore);
    deepEqual(await rows(after, wrong), []);
    await after.query(insert);
    deepEqual(await rows(after, size), sizeBefore);
    await after.end();
  });

  test(`${name}: a crash after a stop loses nothing of what came between`, limits, async (t) => {
    const host = await startTestHost(t, { settings: { postgres_major } });
    const first = await host.connect();
    await halfEmptyTable(first);
    const stopped = await rows(first, free);
    const second = await stopAndStart(host, first);
    for (const sql of ['delete from t where n < 2000', insert, 'vacuum (truncate off) t'])
      await second.query(sql);
    await flush(second);
    const killed = await rows(second, free);

    const third = await crash(host, second);

    notDeepEqual(killed, stopped);
    deepEqual(await rows(third, free), killed);
    deepEqual(await rows(third, wrong), []);
    const fourth = await stopAndStart(host, third);
    deepEqual(await rows(fourth, free), killed);
    await fourth.end();
  });

  test(`${name}: what VACUUM cut off does not come back with a crash`, limits, async (t) => {
    const host = await startTestHost(t, { settings: { postgres_major } });
    const first = await host.connect();
    await halfEmptyTable(first);
    const second = await stopAndStart(host, first);
    for (const sql of ['delete from t where n > 1000', 'vacuum t', insert]) await second.query(sql);
    await flush(second);
    const cut = await rows(second, size);

    const third = await crash(host, second);

    deepEqual(await rows(third, size), cut);
    deepEqual(await rows(third, wrong), []);
    await third.end();
  });
}

test('room far from the end is found, past several pages of the map', limits, async (t) => {
  const host = await startTestHost(t, {});
  const before = await host.connect();
  await before.query(
    'create table t (n int, body text); alter table t alter body set storage plain',
  );
  const onePageEach = `insert into t select n, repeat('x', 7000) from generate_series`;
  for (const sql of [`${onePageEach}(1, 5000) n`, 'delete from t where n <= 100', 'vacuum t'])
    await before.query(sql);
  await flush(before);
  const cut = await rows(before, size);

  const after = await crash(host, before);

  await after.query(`${onePageEach}(1, 90) n`);
  deepEqual(await rows(after, size), cut);
  await after.end();
});

test('a branch has the map of its branch point', limits, async (t) => {
  const host = await startTestHost(t, {});
  const main = await host.connect();
  await halfEmptyTable(main);
  await flush(main);
  const then = await rows(main, free);
  const at = String((await rows(main, 'select pg_current_wal_lsn()'))[0]![0]);
  for (const sql of ['delete from t', 'vacuum (truncate off) t']) await main.query(sql);
  await flush(main);
  notDeepEqual(await rows(main, free), then);
  await main.end();

  await host.json('branch', 'create', 'then', '--at', at);
  await host.json('endpoint', 'start', 'then');

  const branch = await connectTo((await host.endpoint('then')).connectionString!);
  deepEqual(await rows(branch, free), then);
  deepEqual(await rows(branch, wrong), []);
  await branch.end();
});

test('a stop after a crash logs no map that Postgres has not looked at', limits, async (t) => {
  const host = await startTestHost(t, {});
  const first = await host.connect();
  await halfEmptyTable(first);
  await flush(first);
  const second = await crash(host, first);
  const begin = await position(second);

  const third = await stopAndStart(host, second);

  const bytes = (await position(third)) - begin;
  ok(bytes < 4_096, `${bytes} bytes of WAL`);
  deepEqual(await rows(third, wrong), []);
  await third.end();
});

test('a table that was only filled has no map after a crash', limits, async (t) => {
  const host = await startTestHost(t, {});
  const before = await host.connect();
  await before.query(`create table t as select n from generate_series(1, 10000) n`);

  const after = await crash(host, before);

  equal((await rows(after, `select pg_relation_size('t', 'fsm')`))[0]![0], '0');
  await after.end();
});

/** Has the log written up to here: nobody waits for that of a VACUUM. */
async function flush(client: PostgresClient): Promise<void> {
  await client.query('create table flushed (n int); drop table flushed');
}

/** Kills Postgres, which is started again from storage. */
async function crash(host: TestHost, client: PostgresClient): Promise<PostgresClient> {
  client.destroy(new Failure('postgres_unreachable', { reason: 'it is killed' }));
  const { pid, restarts } = await host.endpoint('main');
  process.kill(pid!, 'SIGKILL');
  while ((await host.endpoint('main')).restarts === restarts) await sleep(50);
  await host.json('endpoint', 'start', 'main');
  return host.connect();
}

async function stopAndStart(host: TestHost, client: PostgresClient): Promise<PostgresClient> {
  await client.end();
  await host.json('endpoint', 'stop', 'main');
  await host.json('endpoint', 'start', 'main');
  return host.connect();
}
