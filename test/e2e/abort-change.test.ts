/** A replacement that cannot come through is called off, and the old members go on as they were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestCluster } from './cluster.ts';
import { connectTo, type TestHost } from './host.ts';

interface Member {
  readonly member: string;
  readonly role: string;
}

test(
  'abort: a replacement whose new host died is stuck; called off, the old members are as before',
  { timeout: 300_000 },
  async (t) => {
    const { a, b, c, d } = await startTestCluster(t, { spare: true });
    const moved = await b.json<{ connectionString: string }>('endpoint', 'start', 'main');
    const client = await connectTo(moved.connectionString);
    await client.query('create table t (n int)');
    assert.match((await b.cli('acceptor', 'abort', 'main')).stderr, /reason=change missing/);

    // With one of two old members silent the change does not get beyond its joint configuration.
    await killed(c);
    a.kill('SIGSTOP');
    const replacing = b.cli('acceptor', 'replace', 'main', 'c', '--with', 'd');
    while (!(await roles(b)).includes('d.2 joining')) await sleep(100);
    await killed(d);
    a.kill('SIGCONT');
    const { stderr } = await replacing;
    assert.match(stderr, /change not done.*outcome=stuck/);
    await client.query('insert into t values (1)');

    await b.json('acceptor', 'abort', 'main');

    assert.deepEqual(await roles(b), ['a member', 'b member', 'c member']);
    await client.query('insert into t values (2)');
    assert.match((await b.cli('acceptor', 'abort', 'main')).stderr, /reason=change missing/);

    await d.start();
    await b.json('acceptor', 'replace', 'main', 'c', '--with', 'd');
    const after = await roles(b);
    assert.match((await b.cli('acceptor', 'abort', 'main')).stderr, /reason=change decided/);
    assert.deepEqual(await roles(b), after);

    await killed(a); // whose vote the new member's takes the place of
    await client.query('insert into t values (3)');
    assert.deepEqual((await client.query('select sum(n) from t')).rows, [['6']]);
    await client.end();
  },
);

async function roles(host: TestHost): Promise<readonly string[]> {
  const members = await host.json<readonly Member[]>('acceptor', 'list', 'main');
  return members.map(({ member, role }) => `${member} ${role}`);
}

async function killed(host: TestHost): Promise<void> {
  host.kill('SIGKILL');
  await host.ended;
}
