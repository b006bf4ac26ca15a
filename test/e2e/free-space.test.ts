/** The free-space map, which Postgres does not log, is what it was when its Postgres was stopped. */
import { deepEqual, notDeepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { startTestHost, type TestHost } from './host.ts';

const limits = { timeout: 120_000 };
const free = `select blkno, avail from pg_freespace('t') where avail > 0 order by blkno`;
const size = `select pg_relation_size('t')`;
const insert = `insert into t select n, repeat('y', 300) from generate_series(1, 500) n`;

for (const postgres_major of [15, 18])
  test(
    `Postgres ${postgres_major}: what VACUUM found free is used after a start`,
    limits,
    async (t) => {
      const host = await startTestHost(t, { settings: { postgres_major } });
      const before = await host.connect();
      await halfEmptyTable(before);
      const [freeBefore, sizeBefore] = [await rows(before, free), await rows(before, size)];

      const after = await startAgain(host, before);

      ok(freeBefore.length > 50, `${freeBefore.length} blocks have room`);
      deepEqual(await rows(after, free), freeBefore);
      await after.query(insert);
      deepEqual(await rows(after, size), sizeBefore);
      await after.end();
    },
  );

test('a stop that changed no free-space map logs none', limits, async (t) => {
  const host = await startTestHost(t, {});
  const first = await host.connect();
  await halfEmptyTable(first);
  const second = await startAgain(host, first);
  const begin = await position(second);

  const third = await startAgain(host, second);

  const bytes = (await position(third)) - begin;
  ok(bytes < 4_096, `${bytes} bytes of WAL`);
  await third.end();
});

test('the map of a Postgres that died is the one of the stop before', limits, async (t) => {
  const host = await startTestHost(t, {});
  const first = await host.connect();
  await halfEmptyTable(first);
  const kept = await rows(first, free);
  const second = await startAgain(host, first);
  for (const sql of ['delete from t', 'vacuum (truncate off) t', 'checkpoint'])
    await second.query(sql);
  notDeepEqual(await rows(second, free), kept);
  await second.end();

  process.kill((await host.endpoint('main')).pid!, 'SIGKILL');
  while ((await host.endpoint('main')).restarts === 0) await sleep(50);
  await host.json('endpoint', 'start', 'main');

  const third = await host.connect();
  deepEqual(await rows(third, free), kept);
  await third.end();
});

test('a stop does not log the map of an unlogged table', limits, async (t) => {
  const host = await startTestHost(t, {});
  const first = await host.connect();
  await halfEmptyTable(first, 'unlogged');
  const second = await startAgain(host, first);
  for (const sql of [insert, 'delete from t where n % 2 = 0', 'vacuum t', 'checkpoint'])
    await second.query(sql);
  const begin = await position(second);
  ok((await rows(second, free)).length > 0);

  const third = await startAgain(host, second);

  const bytes = (await position(third)) - begin;
  ok(bytes < 4_096, `${bytes} bytes of WAL`);
  await third.end();
});

/** Every other row of `t` is gone, and VACUUM has seen it. */
async function halfEmptyTable(client: PostgresClient, kind = ''): Promise<void> {
  await client.query('create extension pg_freespacemap');
  await client.query(`create ${kind} table t (n int, body text)`);
  await client.query(`insert into t select n, repeat('x', 300) from generate_series(1, 3000) n`);
  await client.query('delete from t where n % 2 = 0');
  await client.query('vacuum t');
}

async function startAgain(host: TestHost, client: PostgresClient): Promise<PostgresClient> {
  await client.end();
  await host.json('endpoint', 'stop', 'main');
  await host.json('endpoint', 'start', 'main');
  return host.connect();
}

async function rows(
  client: PostgresClient,
  sql: string,
): Promise<readonly (readonly (string | null)[])[]> {
  return (await client.query(sql)).rows;
}

/** Where the log is, in bytes. */
async function position(client: PostgresClient): Promise<number> {
  return Number((await rows(client, `select pg_current_wal_lsn() - '0/0'`))[0]![0]);
}
