/** Two computes on one branch: at most one commits. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ComputeMessage, type ComputeOptions } from '../../src/actors/compute/protocol.ts';
import { readProject } from '../../src/actors/control/project-store.ts';
import { type Project } from '../../src/actors/control/project.ts';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { parseConfig } from '../../src/config.ts';
import { startHost } from '../../src/host.ts';
import { takeFreePort } from '../../src/io/ports.ts';
import { allocatePageCache } from '../../src/runtime/page-cache.ts';
import { connectTo } from './host.ts';
import { Bank } from './bank.ts';
import { clearFolder } from './leftovers.ts';

const address = '127.0.0.1';
const limits = { timeout_ms: 60_000 };

test(
  'two computes: the second takes the branch over, and the first commits no more',
  { timeout: 120_000 },
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
    chmodSync(root, 0o755);
    const directory = join(root, 'data');
    const config = parseConfig(
      'api_port = 0\nreplication_port = 0\npostgres_first_port = 0',
      'test',
    );
    const host = await startHost({ config, directory, json: true });
    t.after(async () => {
      await host.stop();
      await clearFolder(root);
    });
    const bank = new Bank(3, () => connectTo(host.connectionString!));
    await bank.setUp();
    bank.open(3);
    const first = await connectTo(host.connectionString!);
    await first.query('create table winner (name text)');
    while (bank.acknowledged < 10) await new Promise((resolve) => setImmediate(resolve));

    const port = await takeFreePort(address);
    const options = await secondCompute(directory, port);
    await host.runtime.spawn({ behavior: 'compute', name: 'second', options, thread: 'main' });
    const second = host.runtime.ref<ComputeMessage>('compute/second');
    const { connectionString } = await host.runtime.ask(second, { kind: 'startCompute' }, limits);

    await assert.rejects(first.query(`insert into winner values ('first')`));
    const taken = bank.acknowledged;
    await bank.close();
    assert.equal(bank.acknowledged, taken, 'nobody commits at the first any more');
    const after = await connectTo(connectionString);
    await after.query(`insert into winner values ('second')`);
    const { rows } = await after.query('select name from winner');
    assert.deepEqual(rows, [['second']]);
    await after.end();
    await bank.check(() => connectTo(connectionString));
    await host.runtime.ask(second, { kind: 'stopCompute' }, limits);
  },
);

async function storedProject(directory: string): Promise<Project> {
  return (await readProject(new DirectoryStore(join(directory, 'store'))))!.project;
}

async function secondCompute(directory: string, port: number): Promise<ComputeOptions> {
  const project = await storedProject(directory);
  const branch = project.branches[0]!;
  return {
    timeline: branch.timeline,
    branch: 'main',
    folder: join(directory, 'computes', `second-${process.pid}`),
    major: project.major,
    segmentSize: project.segment_bytes,
    systemId: project.systemId,
    address,
    port,
    uid: 65_534,
    gid: 65_534,
    configuration: branch.configuration,
    acceptorPath: `acceptor/${branch.timeline}`,
    sharedBuffers_bytes: 2 ** 24,
    maxConnections: 20,
    startTimeout_ms: 60_000,
    stopTimeout_ms: 30_000,
    readerThreads: 2,
    upperTarget_bytes: 2 ** 28,
    upperMax_bytes: 2 ** 32,
    trimSample_ms: 1_000,
    pageCache: allocatePageCache(2 ** 24),
  };
}
