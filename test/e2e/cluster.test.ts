/** Three hosts: what is acknowledged is with two of them, and any of them can go on. */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Failure } from '../../src/base/failure.ts';
import { prepareTestCluster, startTestCluster } from './cluster.ts';
import { connectTo, type TestHost } from './host.ts';

interface Started {
  readonly connectionString: string;
}
interface Member {
  readonly member: string;
  readonly role: string;
  readonly term: number | null;
  readonly flushLsn: string | null;
}
interface Verified {
  readonly differences: number;
}

test('cluster: a branch made on one host is served by another', { timeout: 300_000 }, async (t) => {
  const { a, b, c } = await startTestCluster(t);
  await run(a.connectionString, 'create table t as select g from generate_series(1, 1000) g');

  await b.json('branch', 'create', 'dev');
  const { connectionString } = await c.json<Started>('endpoint', 'start', 'dev');

  assert.equal(await run(connectionString, 'select count(*) from t'), '1000');
  await run(connectionString, 'insert into t values (0)');
  assert.equal(await run(a.connectionString, 'select count(*) from t'), '1000');
  const endpoints = await a.endpoints();
  assert.deepEqual(
    endpoints.map(({ branch, host, state }) => `${branch} ${host} ${state}`),
    ['main a running', 'dev c running'],
  );
  assert.equal((await a.json<Verified>('verify', 'dev')).differences, 0);
  await b.json('endpoint', 'stop', 'dev');
  assert.equal((await c.endpoint('dev')).state, 'stopped');
  await a.json('branch', 'delete', 'dev');
});

test(
  'cluster: when the host of an endpoint is killed, another one goes on with everything acknowledged',
  { timeout: 300_000 },
  async (t) => {
    const { a, b, c } = await startTestCluster(t);
    await run(a.connectionString, 'create table t (n int)');
    for (let n = 0; n < 20; n += 1) await run(a.connectionString, `insert into t values (${n})`);
    a.kill('SIGKILL');
    await a.ended;

    const { connectionString } = await b.json<Started>('endpoint', 'start', 'main');
    assert.equal(await run(connectionString, 'select count(*) from t'), '20');
    await run(connectionString, 'insert into t values (20)');
    assert.equal((await c.json<Verified>('verify', 'main')).differences, 0);

    await a.start(); // which does not start what runs elsewhere now
    assert.equal((await a.endpoint('main')).host, 'b');
    assert.equal(await run(connectionString, 'select count(*) from t'), '21');
    const taken = await a.json<Started>('endpoint', 'start', 'main');
    assert.equal(await run(taken.connectionString, 'select count(*) from t'), '21');
    await assert.rejects(run(connectionString, 'insert into t values (21)'));
  },
);

test(
  'cluster: a branch made when the host of its parent has just been killed has everything acknowledged',
  { timeout: 300_000 },
  async (t) => {
    const { a, b } = await startTestCluster(t);
    await run(a.connectionString, 'create table t (n int)');
    const client = await connectTo(a.connectionString);
    for (let n = 0; n < 200; n += 1) await client.query(`insert into t values (${n})`);
    a.kill('SIGKILL'); // before acceptors are told of the last one's commit
    await a.ended;
    client.destroy(new Failure('postgres_stream_closed', {}));

    await b.json('branch', 'create', 'dev');

    const { connectionString } = await b.json<Started>('endpoint', 'start', 'dev');
    assert.equal(await run(connectionString, 'select count(*) from t'), '200');
  },
);

test(
  'cluster: a host that was away when a branch was made takes its part when it is back',
  { timeout: 300_000 },
  async (t) => {
    const cluster = await prepareTestCluster(t, { settings: { page_copies: 3 } });
    const { a, b, c } = cluster;
    await Promise.all(cluster.all.map((host) => host.start()));
    await c.stop();

    await a.json('branch', 'create', 'dev');
    const { connectionString } = await a.json<Started>('endpoint', 'start', 'dev');
    await run(connectionString, 'create table t as select 7 as n');

    await c.start();
    b.kill('SIGKILL'); // from now on the two others are the majority
    await b.ended;
    await run(connectionString, 'insert into t values (8)');
    const moved = await c.json<Started>('endpoint', 'start', 'dev');
    assert.equal(await run(moved.connectionString, 'select sum(n) from t'), '15');
  },
);

test(
  'cluster: with two of three hosts gone nothing is acknowledged; with one of them back it is',
  { timeout: 300_000 },
  async (t) => {
    const { a, b, c } = await startTestCluster(t);
    await run(a.connectionString, 'create table t (n int)');
    await Promise.all([killed(b), killed(c)]);

    const client = await connectTo(a.connectionString);
    const waiting = client.query('insert into t values (1)');
    const soon = new Promise((resolve) => setTimeout(resolve, 1_000, 'waits'));
    assert.equal(await Promise.race([waiting.then(() => 'acknowledged'), soon]), 'waits');

    await b.start();
    await waiting;
    await client.end();
  },
);

test(
  'cluster: a member that lost its disk does not vote, and a new one on its host takes its place',
  { timeout: 300_000 },
  async (t) => {
    const { a, b, c } = await startTestCluster(t);
    await run(a.connectionString, 'create table t (n int)');
    await killed(c);
    rmSync(join(c.directory, 'timelines'), { recursive: true });
    await c.start();
    await run(a.connectionString, 'insert into t values (1)');
    const before = await a.json<readonly Member[]>('acceptor', 'list', 'main');
    assert.deepEqual(before.map(({ member, term }) => [member, term === null]).at(-1), [
      'c',
      false,
    ]);
    assert.equal(before.at(-1)!.flushLsn, '0/0');

    await b.json('acceptor', 'replace', 'main', 'c', '--with', 'c');

    const after = await a.json<readonly Member[]>('acceptor', 'list', 'main');
    assert.deepEqual(
      after.map(({ member, role }) => `${member} ${role}`),
      ['a member', 'b member', 'c.2 member'],
    );
    await run(a.connectionString, 'insert into t values (2)'); // the same Postgres goes on
    await killed(b);
    await run(a.connectionString, 'insert into t values (3)'); // which the new member is needed for
    await killed(a);
    await b.start();
    const { connectionString } = await b.json<Started>('endpoint', 'start', 'main');
    assert.equal(await run(connectionString, 'select sum(n) from t'), '6');
  },
);

test(
  'cluster: a host that waits for the project ends when it is asked to, and makes none',
  { timeout: 60_000 },
  async (t) => {
    const { b } = await prepareTestCluster(t);
    const { waiting, ended } = b.launch();
    await waiting;

    b.kill('SIGINT');

    assert.equal((await ended).code, 0);
    assert.equal(existsSync(b.directory), false);
  },
);

async function killed(host: TestHost): Promise<void> {
  host.kill('SIGKILL');
  await host.ended;
}

/** The first value of the first row. */
async function run(connectionString: string, sql: string): Promise<string | null> {
  const client = await connectTo(connectionString);
  try {
    const { rows } = await client.query(sql);
    return rows[0]?.[0] ?? null;
  } finally {
    await client.end();
  }
}
