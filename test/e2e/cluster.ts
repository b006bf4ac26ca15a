/**
 * TestCluster: hosts a, b and c on this machine, each a process with a folder of its own, that share an
 * object store. `a` makes the project and serves `main` at first. With a `spare` one there is a host d too,
 * which keeps nobody's log at first.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext } from 'node:test';
import { takeTestPort } from '../ports.ts';
import { layWire, type Wire } from '../chaos/wire.ts';
import { prepareTestHost, type TestHost } from './host.ts';

const address = '127.0.0.1';

const names = ['a', 'b', 'c', 'd'] as const;
type Name = (typeof names)[number];

export interface ClusterOptions {
  readonly settings: Readonly<Record<string, number | string>>;
  readonly environment: (host: Name) => Readonly<Record<string, string>>;
  readonly spare: boolean;
}

export interface TestCluster {
  readonly a: TestHost;
  readonly b: TestHost;
  readonly c: TestHost;
  /** Only run when a spare one is wanted. */
  readonly d: TestHost;
  readonly all: readonly TestHost[];
  /** The ways from a to the others. */
  readonly wires: { readonly b: Wire; readonly c: Wire };
}

/** Three hosts that are ready. */
export async function startTestCluster(
  test: TestContext,
  options: Partial<ClusterOptions> = {},
): Promise<TestCluster> {
  const cluster = await prepareTestCluster(test, options);
  await Promise.all(cluster.all.map((host) => host.start()));
  return cluster;
}

/** Three hosts that do not run yet. */
export async function prepareTestCluster(
  test: TestContext,
  { settings = {}, environment = () => ({}), spare = false }: Partial<ClusterOptions> = {},
): Promise<TestCluster> {
  const store = mkdtempSync(join(tmpdir(), 'stemma-store-'));
  chmodSync(store, 0o755);
  const ports = {
    a: await takeTestPort(address),
    b: await takeTestPort(address),
    c: await takeTestPort(address),
    d: await takeTestPort(address),
  };
  const present = spare ? names : names.slice(0, 3);
  const wires = { b: await layWire(test, ports.b), c: await layWire(test, ports.c) };
  const shared = { cluster_secret: 'the-secret-of-a-test', object_store: store };
  const [a, b, c, d] = names.map((host_name) => {
    const seen = host_name === 'a' ? { ...ports, b: wires.b.port, c: wires.c.port } : ports;
    const hosts = present.map((name) => `${name}=${address}:${seen[name]}`);
    const all = { shared_buffers_bytes: 2 ** 23, ...settings, ...shared, host_name, hosts };
    return prepareTestHost(test, { settings: all, environment: environment(host_name) });
  }) as [TestHost, TestHost, TestHost, TestHost];
  test.after(() => {
    rmSync(store, { recursive: true, force: true });
  });
  return { a, b, c, d, all: [a, b, c, d].slice(0, present.length), wires };
}
