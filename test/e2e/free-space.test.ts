/** The free-space map, which Postgres does not log, is what it was when its Postgres was stopped. */
import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { free, halfEmptyTable, insert, position, rows, size, wrong } from './free-room.ts';
import { startTestHost, type TestHost } from './host.ts';

const limits = { timeout: 120_000 };

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

test('a stop logs no map that Postgres left alone while its heap changed', limits, async (t) => {
  const host = await startTestHost(t, {});
  const first = await host.connect();
  await halfEmptyTable(first);
  const second = await startAgain(host, first);
  await second.query(`insert into t values (0, repeat('z', 300))`);
  const begin = await position(second);

  const third = await startAgain(host, second);

  const bytes = (await position(third)) - begin;
  ok(bytes < 4_096, `${bytes} bytes of WAL`);
  deepEqual(await rows(third, wrong), []);
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

async function startAgain(host: TestHost, client: PostgresClient): Promise<PostgresClient> {
  await client.end();
  await host.json('endpoint', 'stop', 'main');
  await host.json('endpoint', 'start', 'main');
  return host.connect();
}
