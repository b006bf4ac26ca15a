/** WAL that storage cannot replay: what it costs the branch, and what it must not cost the others. */
import assert from 'node:assert/strict';
import { chownSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { refusedDirectory } from '../../src/actors/compute/data-directory.ts';
import { startTestHost } from './host.ts';

const poll_ms = 50;

test('host: a branch halted by an unsupported record says so, and the others go on', async (t) => {
  const host = await startTestHost(t, {});
  const client = await host.connect();
  await host.json('branch', 'create', 'before');
  // Postgres is kept from making a tablespace: with this, it is no more.
  const { rows } = await client.query('show data_directory');
  const { uid, gid } = statSync(rows[0]![0]!);
  chownSync(join(rows[0]![0]!, refusedDirectory), uid, gid);
  await client.query('set allow_in_place_tablespaces = on');
  const made = client.query(`create tablespace in_place location ''`);
  await Promise.allSettled([made]); // answered, or cut off: its Postgres is about to end
  // What it acknowledged from now on, no start could show: so it ends, and says why.
  while ((await host.endpoint('main')).state !== 'stopped') await setTimeout(poll_ms);
  await client.end();

  const start = await host.cli('endpoint', 'start', 'main');

  assert.equal(start.code, 1);
  assert.match(start.stderr, /timeline halted.*tablespace unsupported.*lsn=0\//);
  const listed = await host.json<{ name: string; halted: string | null }[]>('branch', 'list');
  assert.match(listed.find(({ name }) => name === 'main')!.halted ?? '', /tablespace unsupported/);
  await host.json('endpoint', 'start', 'before');
  await host.json('branch', 'create', 'later', '--parent', 'before');

  await host.stop();
  await host.start();
  const served = await host.endpoints();
  assert.equal(served.find(({ branch }) => branch === 'main')!.state, 'stopped');
  assert.equal(served.find(({ branch }) => branch === 'before')!.state, 'running');
});
