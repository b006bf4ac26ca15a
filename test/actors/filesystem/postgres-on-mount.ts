/**
 * A stock Postgres whose versioned files are a mount. Its lower layer is the data directory of a
 * standby of it, so what is trimmed comes back as Postgres itself rebuilt it from WAL.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { keyKinds } from '../../../src/base/key.ts';
import { lsnZero, parseLsn } from '../../../src/base/lsn.ts';
import { parseBlockFile } from '../../../src/actors/filesystem/file-names.ts';
import {
  type FileSnapshot,
  type ForkSnapshot,
  type MountSnapshot,
  type SampleTaken,
  type SlruSegmentSnapshot,
} from '../../../src/actors/filesystem/protocol.ts';
import { stockHome } from '../../postgres/stock-home.ts';
import { connectPostgres, type PostgresClient } from '../../../src/io/postgres-client.ts';
import { startPostgres, type PostgresProcess } from '../../../src/io/postgres-process.ts';
import { makeCluster } from '../../postgres/postgres-cluster.ts';
import { mounted, type Mounted } from './mounted.ts';

const identity = { uid: 65_534, gid: 65_534 };
const versioned = ['base', 'global', 'pg_xact', 'pg_multixact', 'pg_commit_ts', 'pg_twophase'];
const ports = { primary: 5_432, standby: 5_433 };

export interface PostgresOnMount {
  readonly mount: Mounted;
  connect(): Promise<PostgresClient>;
  /** Stops Postgres in order and starts it again, on the same mount. */
  restart(): Promise<void>;
  /**
   * Lets the standby replay everything and write it out, tells the mount a sample, and trims until
   * nothing more may go. No transaction may be open.
   */
  trimAll(): Promise<{ readonly trimmedBlocks: number }>;
  /** Runs a query on the standby. */
  askStandby(sql: string): Promise<string>;
  remove(): Promise<void>;
}

/** `major`'s Postgres with page checksums, buffers too small to hide the mount, on a new mount. */
export async function postgresOnMount(major: number): Promise<PostgresOnMount> {
  const cluster = makeCluster(major, '-k');
  const primary = cluster.directory;
  const standby = `${primary}-standby`;
  const sockets = join(primary, '..');
  configure(primary, ports.primary, sockets);
  spawnSync('cp', ['-a', primary, standby]);
  configure(standby, ports.standby, sockets);
  writeFileSync(join(standby, 'standby.signal'), '');
  const mount = await mounted({
    ...identity,
    snapshot: readSnapshot(standby),
    lower: { moduleUrl: new URL('./directory-lower.ts', import.meta.url).href, options: standby },
  });
  spawnSync('chmod', ['755', mount.folder]);
  for (const name of versioned) {
    await rm(join(primary, name), { recursive: true });
    symlinkSync(join(mount.mountPoint, name), join(primary, name));
  }
  const home = stockHome(major);
  let server: PostgresProcess | null = null;
  let replica: Standby | null = null;
  const one: PostgresOnMount = {
    mount,
    connect: () => connect(sockets, ports.primary),
    async restart() {
      await server?.stop(20_000);
      server = await startPrimary(home, primary);
    },
    async trimAll() {
      const client = await connect(sockets, ports.primary);
      await client.query('checkpoint');
      await promisify(execFile)('sync', ['-f', mount.mountPoint]); // the kernel sends what is dirty
      const { writeMark } = await mount.ask({ kind: 'markWrites' });
      const sample = await takeSample(client, writeMark);
      // A restartpoint, which writes the standby's pages out, needs a checkpoint in the log.
      await client.query('checkpoint');
      await client.end();
      replica = await startStandby(home, standby);
      const asked = await connect(sockets, ports.standby);
      await until(asked, `select pg_last_wal_replay_lsn() >= '${sample.text}'::pg_lsn`);
      await asked.end();
      await replica.stop();
      replica = null;
      mount.tell(sample.taken);
      return mount.ask({ kind: 'trimUpper' });
    },
    async askStandby(sql) {
      const client = await connect(sockets, ports.primary);
      const target = (await client.query('select pg_current_wal_insert_lsn()')).rows[0]![0]!;
      await client.end();
      replica = await startStandby(home, standby);
      const asked = await connect(sockets, ports.standby);
      await until(asked, `select pg_last_wal_replay_lsn() >= '${target}'::pg_lsn`);
      const { rows } = await asked.query(sql);
      await asked.end();
      await replica.stop();
      replica = null;
      return JSON.stringify(rows);
    },
    async remove() {
      await server?.kill();
      await replica?.stop();
      await mount.remove();
      cluster.remove();
    },
  };
  try {
    server = await startPrimary(home, primary);
    return one;
  } catch (error) {
    await one.remove();
    throw error;
  }
}

function startPrimary(home: string, dataDirectory: string): Promise<PostgresProcess> {
  const limits = { startTimeout_ms: 30_000, unblock: null, onExit: () => undefined };
  return startPostgres({ home, dataDirectory, identity, ...limits });
}

function connect(host: string, port: number): Promise<PostgresClient> {
  const who = { user: 'postgres', database: 'postgres', parameters: {}, timeout_ms: 10_000 };
  return connectPostgres({ host, port, ...who });
}

interface Standby {
  stop(): Promise<void>;
}

/** Resolves when it accepts queries. */
async function startStandby(home: string, directory: string): Promise<Standby> {
  const child = spawn(join(home, 'bin', 'postgres'), ['-D', directory], {
    ...identity,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    let log = '';
    child.stderr.on('data', (bytes: Buffer) => {
      log += bytes.toString();
      if (log.includes('ready to accept read-only connections')) resolve();
    });
    void ended.then(() => {
      reject(new Error(log));
    });
  });
  return {
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

function configure(directory: string, port: number, sockets: string): void {
  const lines = [
    `port = ${port}`,
    `listen_addresses = ''`,
    `unix_socket_directories = '${sockets}'`,
    `primary_conninfo = 'host=${sockets} port=${ports.primary} user=postgres'`,
    'fsync = off',
    'full_page_writes = off',
    'shared_buffers = 1MB',
    'wal_keep_size = 1GB',
    'max_prepared_transactions = 5',
    'autovacuum = off',
  ];
  appendFileSync(join(directory, 'postgresql.conf'), `${lines.join('\n')}\n`);
}

async function until(client: PostgresClient, sql: string): Promise<void> {
  while ((await client.query(`${sql}, pg_sleep(0.01)`)).rows[0]![0] !== 't');
}

const sampleSql = `select pg_current_wal_insert_lsn(), greatest(
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
  (select max(backend_xid::text::bigint) + 1 from pg_stat_activity),
  (select max(transaction::text::bigint) + 1 from pg_prepared_xacts)),
  pg_snapshot_xmin(pg_current_snapshot())`;

/** Trims afterwards, so the timeline has everything by then. */
async function takeSample(
  client: PostgresClient,
  writeMark: number,
): Promise<{ readonly taken: SampleTaken; readonly text: string }> {
  const [text, nextXid, xmin] = (await client.query(sampleSql)).rows[0]!;
  const insertLsn = parseLsn(text!);
  const xids = { nextXid: Number(nextXid), xmin: Number(xmin) };
  const taken = {
    kind: 'sampleTaken',
    writeMark,
    insertLsn,
    ...xids,
    ingestedLsn: insertLsn,
  } as const;
  return { taken, text: text! };
}

/** What a cleanly stopped data directory holds. */
export function readSnapshot(directory: string): MountSnapshot {
  const forks = new Map<string, ForkSnapshot>();
  const slruSegments: SlruSegmentSnapshot[] = [];
  const files: FileSnapshot[] = [];
  for (const path of versioned.flatMap((name) => walk(directory, name))) {
    const blocks = statSync(join(directory, path)).size / 8_192;
    const file = parseBlockFile(path);
    if (file === null) files.push({ path, bytes: readFileSync(join(directory, path)) });
    else if (file.keyKind === keyKinds.slruBlock)
      slruSegments.push({ slru: file.tablespace, segment: file.relation, blocks });
    else {
      const { tablespace, database, relation, fork, firstBlock } = file;
      const name = path.replace(/\.\d+$/, '');
      const known = forks.get(name)?.blocks ?? 0;
      const total = Math.max(known, firstBlock + blocks);
      forks.set(name, { tablespace, database, relation, fork, blocks: total });
    }
  }
  const databases = readdirSync(join(directory, 'base')).map(Number);
  return { floor: lsnZero, databases, relations: [...forks.values()], slruSegments, files };
}

function walk(directory: string, path: string): readonly string[] {
  return readdirSync(join(directory, path), { withFileTypes: true }).flatMap((entry) => {
    const child = `${path}/${entry.name}`;
    return entry.isDirectory() ? walk(directory, child) : [child];
  });
}
