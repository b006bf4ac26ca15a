/** What a compute started from storage still knows, beyond tables. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Failure } from '../../src/base/failure.ts';
import { startTestHost, type TestHost } from './host.ts';
import { type PostgresClient } from '../../src/io/postgres-client.ts';

const limits = { timeout: 120_000 };

for (const postgres_major of [15, 18]) {
  const name = `Postgres ${postgres_major}`;

  test(`${name}: a prepared transaction survives a start from storage`, limits, async (t) => {
    const host = await startTestHost(t, { settings: { postgres_major } });
    const before = await host.connect();
    await before.query('create table t (n int)');
    await before.query("begin; insert into t values (1); prepare transaction 'half'");

    const after = await startAgain(host, before);

    deepEqual(await rowsOf(after, 'select gid from pg_prepared_xacts'), [['half']]);
    await after.query("commit prepared 'half'");
    deepEqual(await rowsOf(after, 'select n from t'), [['1']]);
    await after.end();
  });
}

test('endpoint: how far replication origins were applied survives a start', limits, async (t) => {
  const host = await startTestHost(t, {});
  const before = await host.connect();
  await before.query('create table t (n int)');
  await before.query("select pg_replication_origin_create('upstream')");
  await before.query("select pg_replication_origin_session_setup('upstream')");
  await before.query(
    "begin; select pg_replication_origin_xact_setup('0/ABCDEF0', now()); insert into t values (1); commit",
  );

  const after = await startAgain(host, before);

  const progress = "select pg_replication_origin_progress('upstream', false)";
  deepEqual(await rowsOf(after, progress), [['0/ABCDEF0']]);
  await after.end();
});

test('endpoint: a start after a segment switch goes on in the next segment', limits, async (t) => {
  const host = await startTestHost(t, {});
  const before = await host.connect();
  await before.query('create table t (n int); insert into t values (1)');
  await before.query('select pg_switch_wal()');
  const end = String((await rowsOf(before, 'select pg_current_wal_lsn()'))[0]![0]);
  const isStored = `select bool_and(flush_lsn >= '${end}') from pg_stat_replication`;
  while ((await rowsOf(before, isStored))[0]![0] !== 't') await sleep(20);

  const after = await startAgain(host, before);

  deepEqual(await rowsOf(after, 'select n from t'), [['1']]);
  const passed = await rowsOf(after, `select pg_current_wal_lsn() > '${end}'::pg_lsn`);
  deepEqual(passed, [['t']]);
  ok(end.endsWith('000000'), 'the log ended where a segment does');
  await after.end();
});

test('endpoint: a record of 70 MB does not keep its branch from starting', limits, async (t) => {
  const host = await startTestHost(t, {});
  const before = await host.connect();
  await before.query("select pg_logical_emit_message(false, 'big', repeat('x', 70000000))");
  await before.query('create table t (n int); insert into t values (1)');

  const after = await startAgain(host, before);

  deepEqual(await rowsOf(after, 'select n from t'), [['1']]);
  await after.end();
});

test('endpoint: samples go on after a user has terminated every client', limits, async (t) => {
  const host = await startTestHost(t, {
    settings: { trim_sample_ms: 50, overlay_target_bytes: 0 },
  });
  const client = await host.connect();

  await fillUpperLayer(host, client);
  await client.query(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'`);

  const ours = "select count(*) from pg_stat_activity where application_name like 'stemma %'";
  const deadline = AbortSignal.timeout(20_000);
  while ((await rowsOf(client, ours))[0]![0] !== '1') {
    deadline.throwIfAborted();
    await sleep(20);
  }
  await client.end();
});

test('endpoint: CREATE TABLESPACE is refused and halts nothing', limits, async (t) => {
  const host = await startTestHost(t, {});
  const client = await host.connect();

  const location = mkdtempSync(join(tmpdir(), 'stemma-tablespace-'));
  t.after(() => {
    rmSync(location, { recursive: true });
  });
  chownSync(location, 65_534, 65_534);
  await rejects(client.query(`create tablespace elsewhere location '${location}'`));
  await client.query('set allow_in_place_tablespaces = on');
  await rejects(client.query("create tablespace in_place location ''"));

  await client.query('create table t (n int); insert into t values (1)');
  const branches = await host.json<readonly { halted: string | null }[]>('branch', 'list');
  deepEqual(
    branches.map(({ halted }) => halted),
    [null],
  );
  await client.end();
});

test('endpoint: ALTER SYSTEM is refused, since a start would not know of it', limits, async (t) => {
  const host = await startTestHost(t, {});
  const client = await host.connect();

  await rejects(client.query("alter system set work_mem = '8MB'"), /ALTER SYSTEM is not allowed/);

  await client.end();
});

test('endpoint: it stops although a user has locked a catalog', limits, async (t) => {
  const host = await startTestHost(t, {
    settings: { trim_sample_ms: 10, overlay_target_bytes: 0 },
  });
  const client = await host.connect();
  await fillUpperLayer(host, client);
  await client.query('begin; lock table pg_authid in access exclusive mode');
  await sleep(200); // a sample waits for the lock by now

  await host.json('endpoint', 'stop', 'main');

  equal((await host.endpoint('main')).state, 'stopped');
});

/** Has pages written, so that there is something to trim, and the kernel hand them over. */
async function fillUpperLayer(host: TestHost, client: PostgresClient): Promise<void> {
  await client.query('create unlogged table filler as select generate_series(1, 10000) n');
  await client.query('checkpoint');
  await promisify(execFile)('sync', ['-f', host.mounts()[0]!], { timeout: 20_000 });
}

/** Kills the host, so that nothing is shut down in order, and starts it from storage. */
async function startAgain(host: TestHost, client: PostgresClient): Promise<PostgresClient> {
  client.destroy(new Failure('postgres_unreachable', { reason: 'the host is killed' }));
  host.kill('SIGKILL');
  await host.ended;
  await host.start();
  return host.connect();
}

async function rowsOf(
  client: PostgresClient,
  sql: string,
): Promise<readonly (readonly (string | null)[])[]> {
  return (await client.query(sql)).rows;
}
