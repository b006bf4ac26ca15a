/** Several hosts on one machine by one command. */
import assert from 'node:assert/strict';
import { type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { mountsBelow } from '../../src/io/mounts.ts';
import { connectTo, processesOf, startCommand, type CommandResult } from './host.ts';
import { clearFolder } from './leftovers.ts';

interface HostReady {
  readonly host: string;
  readonly pid: number;
  readonly data: string;
  readonly connectionString: string | null;
}

/** Every process prints this too, its threads as well. */
const noise = `--import=data:text/javascript,console.log({no:'event'})`;

test(
  'dev cluster: three hosts start and stop together, and have what they had',
  { timeout: 180_000 },
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
    chmodSync(root, 0o755);
    const directory = join(root, 'data');
    t.after(() => clearFolder(root));

    const first = start(directory);
    const hosts = await first.ready;
    const client = await connectTo(hosts[0]!.connectionString!);
    await client.query('create table t as select generate_series(1, 10) as n');
    await client.end();
    await stops(directory, first, 'SIGINT');
    const second = start(directory);
    const again = await second.ready;
    const later = await connectTo(again[0]!.connectionString!);
    const { rows } = await later.query('select count(*) from t');
    await later.end();
    await stops(directory, second, 'SIGTERM');

    assert.deepEqual(rows, [['10']]);
    for (const started of [hosts, again]) {
      assert.deepEqual(
        started.map(({ host, data }) => [host, data]),
        ['a', 'b', 'c'].map((name) => [name, join(directory, name)]),
      );
      assert.equal(new Set(started.map(({ pid }) => pid)).size, 3);
      assert.deepEqual(
        started.slice(1).map(({ connectionString }) => connectionString),
        [null, null],
      );
    }
  },
);

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
  /** Of all three. */
  readonly ready: Promise<readonly HostReady[]>;
}

function start(directory: string): Running {
  const args = ['dev', 'cluster', '--hosts', '3', '--data', directory, '--json'];
  const { child, ended } = startCommand(args, { NODE_OPTIONS: noise });
  const ready: HostReady[] = [];
  const all = Promise.withResolvers<readonly HostReady[]>();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (line === "{ no: 'event' }") return;
    ready.push(JSON.parse(line) as HostReady);
    if (ready.length === 3) all.resolve(ready);
  });
  void ended.then(({ stderr }) => {
    all.reject(new Error(`ended: ${stderr}`));
  });
  return { child, ended, ready: all.promise };
}

async function stops(
  directory: string,
  { child, ended }: Running,
  signal: 'SIGINT' | 'SIGTERM',
): Promise<void> {
  child.kill(signal);
  const { code, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^a: { no: 'event' }$/m);
  assert.deepEqual(processesOf(directory), []);
  assert.deepEqual(mountsBelow(directory), []);
}
