/**
 * TestCluster: hosts a, b and c on this machine, each a process with a folder of its own, that share an
 * object store. `a` makes the project and serves `main` at first.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext } from 'node:test';
import { takeFreePort } from '../../src/io/ports.ts';
import { prepareTestHost, type TestHost } from './host.ts';

type Settings = Readonly<Record<string, number | string>>;

const names = ['a', 'b', 'c'] as const;
type Name = (typeof names)[number];

export interface TestCluster {
  readonly a: TestHost;
  readonly b: TestHost;
  readonly c: TestHost;
  readonly all: readonly TestHost[];
  /** The object store's folder. */
  readonly store: string;
}

/** Three hosts that are ready. */
export async function startTestCluster(
  test: TestContext,
  settings: Settings = {},
): Promise<TestCluster> {
  const cluster = await prepareTestCluster(test, settings);
  await Promise.all(cluster.all.map((host) => host.start()));
  return cluster;
}

/** Three hosts that do not run yet. */
export async function prepareTestCluster(
  test: TestContext,
  settings: Settings,
): Promise<TestCluster> {
  const store = mkdtempSync(join(tmpdir(), 'stemma-store-'));
  chmodSync(store, 0o755);
  const hosts = await Promise.all(
    names.map(async (name) => `${name}=127.0.0.1:${await takeFreePort('127.0.0.1')}`),
  );
  const shared = { hosts, cluster_secret: 'the-secret-of-a-test', object_store: store };
  const [a, b, c] = names.map((host_name: Name) =>
    prepareTestHost(test, {
      settings: { shared_buffers_bytes: 2 ** 23, ...settings, ...shared, host_name },
    }),
  ) as [TestHost, TestHost, TestHost];
  test.after(() => {
    rmSync(store, { recursive: true, force: true });
  });
  return { a, b, c, all: [a, b, c], store };
}
