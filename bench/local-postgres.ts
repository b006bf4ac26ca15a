/**
 * LocalPostgres: the peer: the same Postgres with the same settings on a plain local directory, as
 * durable as a single disk makes it.
 */
import { chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresConf } from '../src/actors/compute/data-directory.ts';
import { defaultConfig, type Config } from '../src/config.ts';
import { makeReachable } from '../src/io/mounts.ts';
import { takeFreePort } from '../src/io/ports.ts';
import { postgresHome } from '../src/io/postgres-binaries.ts';
import { runInitdb, startPostgres, type PostgresProcess } from '../src/io/postgres-process.ts';
import { type Place } from './place.ts';
import { type Server } from './server.ts';

export type Settings = Readonly<Record<string, string | number>>;

/** Where the peer's settings differ from a compute's, whose record is the quorum. */
export const peerSettings: Settings = {
  fsync: 'on',
  full_page_writes: 'on',
  restart_after_crash: 'on',
  synchronous_standby_names: '',
  wal_init_zero: 'on',
};

const identity = { uid: defaultConfig.postgres_uid, gid: defaultConfig.postgres_gid };
const timeout_ms = 600_000;

export class LocalPostgres {
  readonly directory: string;
  readonly server: Server;
  readonly major: number;
  readonly #home: string;
  readonly #log: string[] = [];
  #process: PostgresProcess | null = null;

  private constructor(directory: string, home: string, server: Server, major: number) {
    this.directory = directory;
    this.major = major;
    this.#home = home;
    this.server = server;
  }

  /** A new data directory, its server not started. */
  static async create(
    place: Place,
    config: Pick<Config, 'shared_buffers_bytes'>,
    changed: Settings = {},
    major = defaultConfig.postgres_major,
  ): Promise<LocalPostgres> {
    const directory = join(place.folder, 'local');
    mkdirSync(directory);
    chownSync(directory, identity.uid, identity.gid);
    const home = makeReachable(postgresHome(major), identity, `postgres-bench-${process.pid}`);
    place.later(async () => {
      await Promise.resolve();
      home.release();
    });
    const { wal_segment_bytes: segment_bytes } = defaultConfig;
    runInitdb(home.path, directory, identity, { major, segment_bytes });
    const server = { host: '127.0.0.1', port: await takeFreePort('127.0.0.1') };
    const local = new LocalPostgres(
      directory,
      home.path,
      { ...server, database: 'postgres' },
      major,
    );
    local.#configure(place, config.shared_buffers_bytes, changed);
    place.later(() => local.stop());
    return local;
  }

  /** Until it accepts connections. */
  async start(): Promise<Server> {
    this.#process = await startPostgres({
      home: this.#home,
      dataDirectory: this.directory,
      identity,
      startTimeout_ms: timeout_ms,
      unblock: null,
      onExit: ({ log }) => this.#log.push(...log),
    });
    return this.server;
  }

  /** Fast shutdown. What the server logged last. */
  async stop(): Promise<readonly string[]> {
    const running = this.#process;
    this.#process = null;
    return running === null ? this.#log : (await running.stop(timeout_ms)).log;
  }

  /** Ends it as a crash would. */
  async crash(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    await running?.kill();
  }

  #configure(place: Place, sharedBuffers_bytes: number, changed: Settings): void {
    const { max_connections: maxConnections, wal_segment_bytes: segment_bytes } = defaultConfig;
    const { host: address, port } = this.server;
    const socketDirectory = place.folder;
    const { major } = this;
    const ours = { major, address, port, socketDirectory, segmentSize: segment_bytes };
    const same = { ...ours, sharedBuffers_bytes, maxConnections };
    const differing = Object.entries({ ...peerSettings, unix_socket_directories: '', ...changed });
    const lines = differing.map(([name, value]) => `${name} = '${value}'\n`).join('');
    const file = join(this.directory, 'postgresql.conf');
    copyFileSync(file, `${file}.sample`);
    writeFileSync(file, postgresConf(same) + lines);
  }
}
