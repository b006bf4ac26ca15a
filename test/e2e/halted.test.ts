/** WAL that storage cannot replay: what it costs the branch, and what it must not cost the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startTestHost } from './host.ts';

const poll_ms = 50;

test('host: a branch halted by an unsupported index says so, and the others go on', async (t) => {
  const host = await startTestHost(t, {});
  const client = await host.connect();
  await host.json('branch', 'create', 'before');
  const inserted = client.query(`
    create table documents (words tsvector);
    create index on documents using gin (words);
    insert into documents select to_tsvector('simple', 'one two three')`);
  await Promise.allSettled([inserted]); // answered, or cut off: its Postgres is about to end
  // What it acknowledged from now on, no start could show: so it ends, and says why.
  while ((await host.endpoint('main')).state !== 'stopped') await setTimeout(poll_ms);
  await client.end();

  const start = await host.cli('endpoint', 'start', 'main');

  assert.equal(start.code, 1);
  assert.match(start.stderr, /timeline halted.*resource manager unsupported.*manager=gin/);
  const listed = await host.json<{ name: string; halted: string | null }[]>('branch', 'list');
  assert.match(listed.find(({ name }) => name === 'main')!.halted ?? '', /manager=gin/);
  await host.json('endpoint', 'start', 'before');
  await host.json('branch', 'create', 'later', '--parent', 'before');

  await host.stop();
  await host.start();
  const served = await host.endpoints();
  assert.equal(served.find(({ branch }) => branch === 'main')!.state, 'stopped');
  assert.equal(served.find(({ branch }) => branch === 'before')!.state, 'running');
});
