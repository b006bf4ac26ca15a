/** A host from its first start to its stop, and what the next one finds. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { mountsBelow } from '../../src/io/mounts.ts';
import { connectTo, processesOf, startTestHost, type TestHost } from './host.ts';
import { clearFolder } from './leftovers.ts';

const limits = { timeout: 120_000 };

test('host: a first start makes a project with main, and Postgres serves it', limits, async (t) => {
  const host = await startTestHost(t, {});
  const branches = await host.json<{ name: string; parent: string | null }[]>('branch', 'list');
  assert.deepEqual(
    branches.map(({ name, parent }) => ({ name, parent })),
    [{ name: 'main', parent: null }],
  );
  const client = await host.connect();
  const { rows } = await client.query("select current_user, current_setting('server_version_num')");
  assert.equal(rows[0]![0], 'postgres');
  assert.match(rows[0]![1]!, /^18/);
  await client.end();
});

test('host: SIGINT ends it with code 0 and leaves no mount and no process', limits, async (t) => {
  const host = await startTestHost(t, {});
  const { pid } = await host.endpoint('main');
  assert.equal(host.mounts().length, 1);
  const { code, stdout, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"stopped"/);
  assert.deepEqual(host.mounts(), []);
  assert.deepEqual(processesOf(host.directory), []);
  assert.ok(!existsSync(`/proc/${pid!}`), 'Postgres is gone');
  assert.deepEqual(readdirSync(join(host.directory, 'computes')), []);
});

test(
  'host: an endpoint whose port somebody took meanwhile starts on another one',
  limits,
  async (t) => {
    const host = await startTestHost(t, {});
    const before = new URL(host.connectionString);
    await host.json('endpoint', 'stop', 'main');
    const squatter = createServer();
    t.after(() => squatter.close());
    await once(squatter.listen(Number(before.port), before.hostname), 'listening');

    const [started, again] = [await startMain(host), await startMain(host)];

    assert.notEqual(new URL(started).port, before.port);
    assert.equal(again, started, 'one that runs stays where it is');
    const client = await connectTo(started);
    assert.deepEqual((await client.query('select 1')).rows, [['1']]);
    await client.end();
  },
);

async function startMain(host: TestHost): Promise<string> {
  const started = await host.json<{ connectionString: string }>('endpoint', 'start', 'main');
  return started.connectionString;
}

test('host: a data directory may be named by a symbolic link', limits, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'stemma-e2e-place-'));
  t.after(() => clearFolder(place));
  chmodSync(place, 0o755);
  mkdirSync(join(place, 'folder'));
  symlinkSync(join(place, 'folder'), join(place, 'link'));

  const host = await startTestHost(t, { directory: join(place, 'link/data') });

  const { state } = await host.endpoint('main');
  assert.equal(state, 'running');
  assert.equal(mountsBelow(place).length, 1);
  const { code, stderr } = await host.stop();
  assert.equal(code, 0, stderr);
  assert.deepEqual(mountsBelow(place), []);
});

test('host: a second start finds the data of the first', limits, async (t) => {
  const host = await startTestHost(t, {});
  const writer = await host.connect();
  await writer.query(
    'create table kept as select n, n * n as square from generate_series(1, 5000) n',
  );
  await writer.query('create index on kept (square)');
  await writer.end();
  await host.stop();
  await host.start();
  const reader = await host.connect();
  const { rows } = await reader.query('select count(*), sum(square) from kept');
  assert.deepEqual(rows, [['5000', '41679167500']]);
  const { rows: found } = await reader.query('select n from kept where square = 4999 * 4999');
  assert.deepEqual(found, [['4999']]);
  await reader.end();
});

test('host: a second start starts the endpoints that ran', limits, async (t) => {
  const host = await startTestHost(t, {});
  await host.json('branch', 'create', 'dev');
  await host.json('branch', 'create', 'idle');
  await host.json('endpoint', 'start', 'dev');
  await host.json('endpoint', 'start', 'idle');
  await host.json('endpoint', 'stop', 'idle');
  await host.stop();
  await host.start();
  const endpoints = await host.endpoints();
  assert.deepEqual(
    endpoints.map(({ branch, state }) => `${branch} ${state}`),
    ['main running', 'dev running', 'idle stopped'],
  );
});
