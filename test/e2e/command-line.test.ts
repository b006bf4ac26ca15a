/** The command line: what it refuses and how, and what it prints. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { prepareTestHost, runCommand, startTestHost, type CommandResult } from './host.ts';

const limits = { timeout: 120_000 };

for (const args of [['fly'], ['branch', 'fly'], ['up', '--fly'], ['branch', 'create']]) {
  test(`command line: '${args.join(' ')}' is refused in one line`, limits, async () => {
    refusesInOneLine(await runCommand(args), /^error: /);
  });
}

for (const args of [
  ['branch', 'list'],
  ['endpoint', 'start', 'main'],
  ['verify', 'main'],
]) {
  test(`command line: '${args.join(' ')}' without a host is refused`, limits, async (t) => {
    const directory = temporaryFolder(t);
    const result = await runCommand([...args, '--data', directory]);
    refusesInOneLine(result, new RegExp(`^stemma: host missing. directory=${directory}`));
  });
}

test('command line: help goes to standard output with exit code 0', limits, async () => {
  const { code, stdout } = await runCommand(['--help']);
  assert.equal(code, 0);
  for (const name of ['up', 'branch', 'endpoint', 'verify']) assert.match(stdout, new RegExp(name));
});

test('command line: a setting that does not exist is refused by name', limits, async (t) => {
  const host = prepareTestHost(t, { settings: { shared_bufers_bytes: 1 } });
  host.launch();
  refusesInOneLine(await host.ended, /^stemma: config invalid\. .*shared_bufers_bytes/);
});

test('command line: a configuration file that is not there is refused', limits, async (t) => {
  const directory = temporaryFolder(t);
  const args = ['up', '--config', join(directory, 'none.toml'), '--data', join(directory, 'data')];
  refusesInOneLine(await runCommand(args), /^stemma: config unreadable\. /);
});

for (const setting of ['api_port', 'replication_port'])
  test(`command line: a port for ${setting} that is taken is named`, limits, async (t) => {
    const port = await takePort(t);
    const host = prepareTestHost(t, { settings: { [setting]: port } });
    host.launch();
    const { code, stderr } = await host.ended;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^stemma: address in use.*${port}`, 'm'));
    assert.deepEqual(host.mounts(), []);
  });

test('command line: a data directory of another version is refused', limits, async (t) => {
  const host = prepareTestHost(t, {});
  mkdirSync(host.directory);
  writeFileSync(join(host.directory, 'VERSION'), '99\n');
  host.launch();
  refusesInOneLine(await host.ended, /^stemma: data directory version\. .*found=99/);
});

test('command line: a folder with other things in it is refused', limits, async (t) => {
  const host = prepareTestHost(t, {});
  mkdirSync(host.directory);
  writeFileSync(join(host.directory, 'thesis.txt'), 'precious');
  host.launch();
  refusesInOneLine(await host.ended, /^stemma: data directory unusable\. .*not empty/);
});

test('command line: without being root, a host is refused', limits, async (t) => {
  const directory = join(temporaryFolder(t), 'data');
  const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  refusesInOneLine(await runCommand(['up', '--data', directory], asNobody), /^stemma: not root\. /);
});

test('command line: answers of a host', { timeout: 240_000 }, async (t) => {
  const host = await startTestHost(t, {});

  await t.test('command line: a second host on the same folder is refused', async () => {
    const args = ['up', '--config', host.config, '--data', host.directory];
    const pattern = new RegExp(`^stemma: data directory in use. .*pid=${host.pid}`);
    refusesInOneLine(await runCommand(args), pattern);
    assert.equal((await host.endpoint('main')).state, 'running');
  });

  await t.test('host: it says over HTTP where followers get WAL', async () => {
    const described = (await (await fetch(`${host.api}/v1/host`)).json()) as object;
    assert.deepEqual(described, {
      host: 'host',
      mainHost: 'host',
      project: 'default',
      postgresMajor: 18,
      branches: 1,
      endpoints: 1,
      replication: host.replication,
    });
    assert.match(host.replication, /^127\.0\.0\.1:[1-9]\d*$/);
  });

  await t.test('command line: a branch that does not exist is refused by name', async () => {
    for (const args of [
      ['endpoint', 'start', 'nobody'],
      ['endpoint', 'stop', 'nobody'],
      ['branch', 'delete', 'nobody'],
      ['verify', 'nobody'],
    ]) {
      refusesInOneLine(await host.cli(...args), /branch missing\. branch=nobody/);
    }
  });

  await t.test('command line: an endpoint that does not run is not verified', async () => {
    await host.json('branch', 'create', 'idle');
    refusesInOneLine(await host.cli('verify', 'idle'), /endpoint stopped\. branch=idle/);
  });

  await t.test('command line: endpoints are started, listed and stopped', async () => {
    const started = await host.json<Started>('endpoint', 'start', 'idle');
    assert.equal(started.branch, 'idle');
    assert.match(started.connectionString, /^postgresql:\/\/postgres@127\.0\.0\.1:\d+\/postgres$/);
    assert.ok(started.startMs > 0 && started.startMs < 60_000, `started in ${started.startMs} ms`);
    const running = await host.endpoint('idle');
    assert.equal(running.state, 'running');
    assert.equal(running.connectionString, started.connectionString);
    assert.equal((await host.json<Started>('endpoint', 'start', 'idle')).startMs, 0);
    await host.json('endpoint', 'stop', 'idle');
    const stopped = await host.endpoint('idle');
    assert.equal(stopped.state, 'stopped');
    assert.equal(stopped.pid, null);
  });

  await t.test('command line: without --json, tables and sentences', async () => {
    const { stdout: branches } = await host.cli('branch', 'list');
    assert.match(branches, /^branch +parent +end\nmain +- .*\nidle +main at /);
    const { stdout: made } = await host.cli('branch', 'create', 'plain');
    assert.match(made, /^plain from main at [0-9A-F]+\/[0-9A-F]+\n$/);
    const { stdout: gone } = await host.cli('branch', 'delete', 'plain');
    assert.equal(gone, 'plain deleted\n');
  });
});

interface Started {
  readonly branch: string;
  readonly connectionString: string;
  readonly startMs: number;
}

function refusesInOneLine({ code, stdout, stderr }: CommandResult, pattern: RegExp): void {
  assert.match(stderr, pattern);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  assert.equal(stdout, '');
  assert.equal(code, 1);
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A loopback port that somebody listens on until the test ends. */
async function takePort(t: TestContext): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}
