/**
 * OracleServer: a stock Postgres that writes, with every WAL record, what each page it touched looks
 * like afterwards (`wal_consistency_checking`).
 *
 * A copy of its data directory, as initdb left it, is where replay starts from.
 */
import { appendFileSync, chmodSync, chownSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stockHome } from '../stock-home.ts';
import { runInitdb, startPostgres, type Identity } from '../../../src/io/postgres-process.ts';
import { SqlClient } from './oracle-client.ts';

/** Postgres settings, written to postgresql.conf as they are. */
export type Settings = Readonly<Record<string, string>>;

/** A cluster on disk: where replay starts, and what the server made of it. */
export interface Cluster {
  readonly major: number;
  readonly root: string;
  /** The data directory as initdb left it. */
  readonly before: string;
  /** The data directory of the server. */
  readonly data: string;
}

/** What a workload may do with the server. */
export interface OracleServer {
  readonly major: number;
  /** A directory the server may write to. */
  readonly root: string;
  /** Connections are closed when the workload ends. */
  connect(database?: string): Promise<SqlClient>;
}

const nobody: Identity = { uid: 65_534, gid: 65_534 };
const startTimeout_ms = 30_000;
const stopTimeout_ms = 30_000;
const oracleSettings: Settings = {
  wal_consistency_checking: 'all',
  wal_level: 'replica',
  // Nothing of the log may go before it has been replayed.
  wal_keep_size: '64GB',
  wal_recycle: 'off',
  max_wal_size: '64GB',
  checkpoint_timeout: '1d',
  // Small, so that pages are written and read again.
  shared_buffers: '2MB',
  autovacuum: 'off',
  fsync: 'off',
  listen_addresses: '',
  max_prepared_transactions: '10',
};

/** Makes a cluster in a directory of its own. `removeCluster` ends it. */
export function makeCluster(major: number): Cluster {
  const root = mkdtempSync(join(tmpdir(), 'stemma-oracle-'));
  const cluster = { major, root, before: join(root, 'before'), data: join(root, 'data') };
  try {
    chmodSync(root, 0o755);
    chownSync(root, nobody.uid, nobody.gid);
    runInitdb(stockHome(major), cluster.data, nobody, { major, segment_bytes: 2 ** 24 });
    cpSync(cluster.data, cluster.before, { recursive: true });
    return cluster;
  } catch (error) {
    removeCluster(cluster);
    throw error;
  }
}

export function removeCluster(cluster: Cluster): void {
  rmSync(cluster.root, { recursive: true, force: true });
}

/** A server that runs until it is told to end; either way its connections end first. */
export interface RunningServer extends OracleServer {
  /** Fast shutdown, with its checkpoint. */
  stop(): Promise<void>;
  /** Ends it as a crash would: nothing is flushed. */
  crash(): Promise<void>;
}

/** Starts the cluster's server. Whoever started it must end it, whatever happens. */
export async function startServer(cluster: Cluster, settings: Settings): Promise<RunningServer> {
  configure(cluster, settings);
  const postgres = await startPostgres({
    home: stockHome(cluster.major),
    dataDirectory: cluster.data,
    identity: nobody,
    startTimeout_ms,
    unblock: null,
    onExit: () => undefined,
  });
  const clients: SqlClient[] = [];
  return {
    major: cluster.major,
    root: cluster.root,
    connect: async (database = 'postgres') => {
      const client = await SqlClient.connect(join(cluster.root, '.s.PGSQL.5432'), database);
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) await client.close();
      await postgres.stop(stopTimeout_ms);
    },
    crash: async () => {
      await postgres.kill();
      for (const client of clients) await client.close();
    },
  };
}

/** Starts the cluster's server, lets `work` use it, and shuts it down. */
export async function runServer(
  cluster: Cluster,
  settings: Settings,
  work: (server: OracleServer) => Promise<void>,
): Promise<void> {
  const server = await startServer(cluster, settings);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

function configure(cluster: Cluster, settings: Settings): void {
  const all = { ...oracleSettings, unix_socket_directories: cluster.root, ...settings };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(cluster.data, 'postgresql.conf'), lines.join(''));
}
