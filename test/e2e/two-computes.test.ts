/** Two proposers on one branch: at most one commits, and one that nobody follows is followed by another. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ComputeMessage, type ComputeOptions } from '../../src/actors/compute/protocol.ts';
import { ProjectStore } from '../../src/actors/control/project-store.ts';
import { changeBranch, type Branch, type Project } from '../../src/actors/control/project.ts';
import {
  type ControlMessage,
  type EndpointDescription,
} from '../../src/actors/control/protocol.ts';
import { type ProposerMessage, type ProposerOptions } from '../../src/actors/proposer/protocol.ts';
import { type TimelineMessage } from '../../src/actors/timeline/protocol.ts';
import { DirectoryStore } from '../../src/io/directory-store.ts';
import { parseConfig } from '../../src/config.ts';
import { startHost, type Host } from '../../src/host.ts';
import { allocatePageCache } from '../../src/runtime/page-cache.ts';
import { takeTestPort } from '../ports.ts';
import { connectTo } from './host.ts';
import { Bank } from './bank.ts';
import { clearFolder } from './leftovers.ts';

const address = '127.0.0.1';
const timeout = 120_000;
const limits = { timeout_ms: 60_000 };
const look_ms = 20;

test(
  'two computes: the second takes the branch over, and the first commits no more',
  { timeout },
  async (t) => {
    const scene = await open(t);
    const { host, bank } = scene;
    const first = await connectTo(host.connectionString!);
    await first.query('create table winner (name text)');
    await works(bank);

    await scene.projects.change((now) => changeBranch(now, 'main', { host: 'another' }));
    const options = secondCompute(scene, await takeTestPort(address));
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
    assert.equal((await main(host)).state, 'stopped', 'the first knows whom it lost to');
    await host.runtime.ask(second, { kind: 'stopCompute' }, limits);
  },
);

test(
  'two computes: one that was fenced, and that nobody follows, comes back',
  { timeout },
  async (t) => {
    const scene = await open(t);
    const { host, bank } = scene;
    await works(bank);
    const { pid: before } = await main(host);

    await electAndRelease(scene);

    while ([before, null].includes((await main(host)).pid)) await sleep(look_ms);
    await bank.close();
    await bank.check(); // with the connection string there was
  },
);

interface Scene {
  readonly host: Host;
  readonly directory: string;
  readonly projects: ProjectStore;
  readonly bank: Bank;
}

async function open(t: TestContext): Promise<Scene> {
  const root = mkdtempSync(join(tmpdir(), 'stemma-e2e-'));
  chmodSync(root, 0o755);
  const directory = join(root, 'data');
  const ports = ['api', 'replication', 'postgres_first'].map((name) => `${name}_port = 0`);
  const config = parseConfig(ports.join('\n'), 'test');
  const host = await startHost({ config, directory, json: true });
  t.after(async () => {
    await host.stop();
    await clearFolder(root);
  });
  const bank = new Bank(3, () => connectTo(host.connectionString!));
  await bank.setUp();
  const store = new DirectoryStore(join(directory, 'store'));
  const projects = await ProjectStore.open(store, () => Promise.reject(new Error('no project')));
  return { host, directory, projects, bank };
}

async function works(bank: Bank): Promise<void> {
  bank.open(3);
  while (bank.acknowledged < 10) await sleep(look_ms);
}

async function main(host: Host): Promise<EndpointDescription> {
  const control = host.runtime.ref<ControlMessage>('control/host');
  const message = { kind: 'describeEndpoint', branch: 'main' } as const;
  return host.runtime.ask(control, message, limits);
}

/** As another host that would start the branch, and dies before it does. */
async function electAndRelease({ host: { runtime }, projects }: Scene): Promise<void> {
  const { project, branch } = mainOf(projects);
  const { timeline, configuration } = branch;
  const pages = runtime.ref<TimelineMessage>(`timeline/${timeline}`);
  const { startLsn } = await runtime.ask(pages, { kind: 'describeTimeline' }, limits);
  const { major, systemId, segment_bytes: segmentSize } = project;
  const options: ProposerOptions = {
    acceptorPath: `acceptor/${timeline}`,
    answerTimeout_ms: 10_000,
    reconnect_ms: 100,
    followTimeout_ms: 10_000,
  };
  await runtime.spawn({ behavior: 'proposer', name: 'passing', options, thread: 'wal' });
  const proposer = runtime.ref<ProposerMessage>('proposer/passing');
  const identity = { timeline, major, systemId, segmentSize, startLsn };
  const election = { identity, configuration, owner: null, run: 0, timeout_ms: 10_000 };
  await runtime.ask(proposer, { kind: 'elect', ...election }, limits);
  await runtime.ask(proposer, { kind: 'release', timeout_ms: 10_000 }, limits);
}

function mainOf({ project }: ProjectStore): { readonly project: Project; readonly branch: Branch } {
  return { project, branch: project.branches[0]! };
}

function secondCompute({ directory, projects }: Scene, port: number): ComputeOptions {
  const { project, branch } = mainOf(projects);
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
    owner: 'control/host',
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
