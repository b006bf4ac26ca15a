/** Branches: what one sees of another, where one can be cut, and how one goes away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLsn, lsn, parseLsn } from '../../src/base/lsn.ts';
import { connectTo, startTestHost, type TestHost } from './host.ts';

interface Branch {
  readonly name: string;
  readonly parentLsn: string;
}

test('branches: cut, read, written and deleted', { timeout: 300_000 }, async (t) => {
  const host = await startTestHost(t, { settings: { shared_buffers_bytes: 2 ** 23 } });
  const client = await host.connect();
  await client.query('create table note (id int primary key, body text)');
  await client.query(`insert into note values (1, 'first')`);
  const { rows: positions } = await client.query('select pg_current_wal_lsn()::text');
  const first = positions[0]![0]!;
  await client.query(`insert into note values (2, 'second')`);
  await client.query(`update note set body = 'first again' where id = 1`);
  await client.end();

  await t.test('branch: it has what its parent had, and neither sees the other', async () => {
    await host.json('branch', 'create', 'dev');
    const dev = await start(host, 'dev');
    assert.deepEqual(await notes(dev), ['1 first again', '2 second']);
    await run(dev, `insert into note values (3, 'on dev')`);
    await run(host.connectionString, `delete from note where id = 2`);
    assert.deepEqual(await notes(dev), ['1 first again', '2 second', '3 on dev']);
    assert.deepEqual(await notes(host.connectionString), ['1 first again']);
  });

  await t.test('branch: cut at an LSN of the past, it shows the rows of then', async () => {
    const made = await host.json<Branch>('branch', 'create', 'then', '--at', first);
    assert.equal(made.parentLsn, first);
    assert.deepEqual(await notes(await start(host, 'then')), ['1 first']);
  });

  await t.test(
    'branch: an LSN inside a record is rounded down, and the answer says so',
    async () => {
      const inside = formatLsn(lsn(parseLsn(first) + 1));
      const made = await host.json<Branch>('branch', 'create', 'rounded', '--at', inside);
      assert.equal(made.parentLsn, first);
    },
  );

  await t.test('branch: a branch of a branch has what both have', async () => {
    await host.json('branch', 'create', 'deeper', '--parent', 'dev');
    const deeper = await start(host, 'deeper');
    assert.deepEqual(await notes(deeper), ['1 first again', '2 second', '3 on dev']);
    await run(deeper, `insert into note values (4, 'deeper')`);
    assert.equal((await notes(await start(host, 'dev'))).length, 3);
  });

  await t.test('branch: verify finds nothing on a branch of a branch', async () => {
    const { code, stdout } = await host.cli('verify', 'deeper');
    assert.match(stdout, / 0 differences/);
    assert.equal(code, 0);
  });

  await t.test('branch: an LSN of its ancestor may lie before its own start', async () => {
    const args = ['--parent', 'dev', '--at', first];
    const made = await host.json<Branch>('branch', 'create', 'aunt', ...args);
    assert.equal(made.parentLsn, first);
    assert.deepEqual(await notes(await start(host, 'aunt')), ['1 first']);
  });

  await t.test('branch: what cannot be cut is refused', async () => {
    await refuses(host, ['branch', 'create', 'x', '--at', 'F/0'], /lsn in future/);
    await refuses(host, ['branch', 'create', 'x', '--at', '0/1000100'], /lsn before history/);
    await refuses(host, ['branch', 'create', 'x', '--at', 'soon'], /soon/);
    await refuses(host, ['branch', 'create', 'dev'], /branch exists/);
    await refuses(host, ['branch', 'create', 'x', '--parent', 'nobody'], /branch missing/);
    for (const name of ['', 'Upper', '../up', 'a b', 'a'.repeat(64)]) {
      await refuses(host, ['branch', 'create', name], /branch name invalid/);
    }
  });

  await t.test('branch: it is deleted once nothing needs it', async () => {
    await refuses(host, ['branch', 'delete', 'dev'], /branch (in use|has children)/);
    await host.json('endpoint', 'stop', 'dev');
    await refuses(host, ['branch', 'delete', 'dev'], /branch has children/);
    await refuses(host, ['branch', 'delete', 'deeper'], /branch in use/);
    await host.json('endpoint', 'stop', 'deeper');
    await host.json('branch', 'delete', 'deeper');
    await host.json('branch', 'delete', 'dev');
    await host.json('endpoint', 'stop', 'main');
    await refuses(host, ['branch', 'delete', 'main'], /branch is root/);
    const left = await host.json<Branch[]>('branch', 'list');
    assert.deepEqual(left.map(({ name }) => name).sort(), ['aunt', 'main', 'rounded', 'then']);
  });

  await t.test('branch: one that was deleted and one that was not, after a restart', async () => {
    await host.stop();
    await host.start();
    const left = await host.json<Branch[]>('branch', 'list');
    assert.deepEqual(left.map(({ name }) => name).sort(), ['aunt', 'main', 'rounded', 'then']);
    assert.deepEqual(await notes(await start(host, 'then')), ['1 first']);
    assert.deepEqual(await notes(host.connectionString), ['1 first again']);
  });
});

async function start(host: TestHost, branch: string): Promise<string> {
  const started = await host.json<{ connectionString: string }>('endpoint', 'start', branch);
  return started.connectionString;
}

async function run(connectionString: string, sql: string): Promise<void> {
  const client = await connectTo(connectionString);
  await client.query(sql);
  await client.end();
}

async function notes(connectionString: string): Promise<string[]> {
  const client = await connectTo(connectionString);
  const { rows } = await client.query('select id, body from note order by id');
  await client.end();
  return rows.map((row) => row.join(' '));
}

async function refuses(host: TestHost, args: readonly string[], why: RegExp): Promise<void> {
  const { code, stdout, stderr } = await host.cli(...args);
  assert.equal(code, 1, `${args.join(' ')}: ${stdout}`);
  assert.match(stderr, why);
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
}
