/**
 * Standby: a stock Postgres that follows a branch of a host by physical replication, as a user would
 * set one up: a base backup of the endpoint's files, and where to get WAL from there on.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext } from 'node:test';
import { formatLsn, type Lsn } from '../../src/base/lsn.ts';
import { takeTestPort } from '../ports.ts';
import { type PostgresClient } from '../../src/io/postgres-client.ts';
import { stockHome } from '../postgres/stock-home.ts';
import { connectTo, type TestHost } from './host.ts';

const nobody = 65_534;
const address = '127.0.0.1';
const readyLine = 'ready to accept read-only connections';
/** What belongs to a server that runs, or to its own replication; WAL comes from the host. */
const leftOut = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'pg_wal',
  'pg_replslot',
  'pg_stat_tmp',
]);

export interface StandbyOptions {
  readonly major: number;
  /** The branch it follows. */
  readonly branch: string;
}

interface ListedBranch {
  readonly name: string;
  readonly timeline: string;
}

/** A standby's folder, which is removed after the test; nothing runs yet. */
export async function prepareStandby(test: TestContext, options: StandbyOptions): Promise<Standby> {
  const root = mkdtempSync(join(tmpdir(), 'stemma-standby-'));
  chmodSync(root, 0o755);
  const standby = new Standby(root, options, await takeTestPort(address));
  test.after(async () => {
    await standby.stop('SIGQUIT');
    if (!test.passed) test.diagnostic(standby.log.join('\n'));
    rmSync(root, { recursive: true, force: true });
  });
  return standby;
}

export class Standby {
  readonly log: string[] = [];
  readonly #data: string;
  readonly #options: StandbyOptions;
  readonly #port: number;
  #child: ChildProcess | null = null;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(root: string, options: StandbyOptions, port: number) {
    this.#data = join(root, 'data');
    this.#options = options;
    this.#port = port;
  }

  /** A base backup of what serves a branch: its files, copied while it runs. */
  async backUp(host: TestHost, branch: string, connectionString: string): Promise<void> {
    const client = await connectTo(connectionString);
    await client.query("select pg_backup_start('base', true)");
    await this.copyFiles(host, branch);
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
    writeFileSync(join(this.#data, 'backup_label'), rows[0]![0]!);
    await client.end();
  }

  /** The files alone: enough where nothing is written meanwhile. */
  async copyFiles(host: TestHost, branch: string): Promise<void> {
    const branches = await host.json<ListedBranch[]>('branch', 'list');
    const { timeline } = branches.find(({ name }) => name === branch)!;
    const from = join(host.directory, 'computes', timeline, 'data');
    cpSync(from, this.#data, {
      recursive: true,
      dereference: true,
      filter: (path) =>
        !leftOut.has(relative(from, path)) && !basename(path).startsWith('pgsql_tmp'),
    });
    for (const folder of ['pg_wal', 'pg_replslot', 'pg_stat_tmp'])
      mkdirSync(join(this.#data, folder));
  }

  /** Puts a segment where it would have received it. */
  addSegment(name: string, bytes: Uint8Array): void {
    writeFileSync(join(this.#data, 'pg_wal', name), bytes);
  }

  /** Follows `source`, `127.0.0.1:7433`; resolves when it takes queries. */
  async start(source: string): Promise<void> {
    const [host, port] = source.split(':');
    const options = `options=''-c stemma.branch=${this.#options.branch}''`;
    const settings = [
      `listen_addresses = '${address}'`,
      `port = ${this.#port}`,
      `unix_socket_directories = ''`,
      `synchronous_standby_names = ''`,
      `wal_retrieve_retry_interval = '100ms'`,
      `primary_conninfo = 'host=${host!} port=${port!} user=postgres ${options}'`,
    ];
    appendFileSync(join(this.#data, 'postgresql.conf'), `${settings.join('\n')}\n`);
    writeFileSync(join(this.#data, 'standby.signal'), '');
    spawnSync('chown', ['-R', `${nobody}:${nobody}`, this.#data]);
    chmodSync(this.#data, 0o700);
    await this.#run();
  }

  connect(): Promise<PostgresClient> {
    return connectTo(`postgresql://postgres@${address}:${this.#port}/postgres`);
  }

  /** Waits until it has replayed up to `at`. */
  async reach(at: Lsn): Promise<void> {
    const client = await this.connect();
    const reached = `select pg_last_wal_replay_lsn() >= '${formatLsn(at)}'`;
    while ((await client.query(reached)).rows[0]![0] !== 't')
      await client.query('select pg_sleep(0.01)');
    await client.end();
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.#ended;
  }

  #run(): Promise<void> {
    const postgres = join(stockHome(this.#options.major), 'bin', 'postgres');
    const drop = [
      `--reuid=${nobody}`,
      `--regid=${nobody}`,
      '--clear-groups',
      '--pdeathsig',
      'KILL',
    ];
    const child = spawn('setpriv', [...drop, postgres, '-D', this.#data], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.log.push(line);
        if (line.includes(readyLine)) resolve();
      });
      void this.#ended.then(() => {
        reject(new Error(this.log.slice(-10).join('\n')));
      });
    });
  }
}
